"""Starts or joins Ray, and leaves it again: one context manager."""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrate.errors import ClusterError, RayFailed, first_line
from orchestrate.planning.resources import num_cpus
from orchestrate.running.head import watched_head
from orchestrate.running.silences import end_process
from results.store.holder import Holder

# Set before Ray is imported, because Ray reads some of them then. Most of them switch off what this
# project does itself: progress on the console, saved results, and the handling of Ctrl-C.
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_MAX_PENDING_TRIALS_PG": "100000",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}

CONNECT_TIMEOUT_S = 10.0
TOKEN_VARIABLES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
LONGEST_SOCKET = "/session_2000-01-01_00-00-00_000000_4194304/sockets/plasma_store"
"""What Ray appends to its folder: the time, the longest process id, and its longest socket name."""
PREFIX = "ray-"
ROOT_FOLDER = "/"
"""Nobody else can write there, on any node."""
DEFAULT_TMPDIR = "/tmp"  # noqa: S108 - Ray uses it too
MAX_SOCKET_BYTES = 103
"""Longest path of a socket that every system allows: 103 bytes on macOS, 107 on Linux."""


@contextmanager
def cluster(
    address: str | None, tidy: Callable[[], None] = lambda: None
) -> Iterator[list[dict[str, float]]]:
    """Start Ray on this machine, or join a running cluster, until the block ends.

    Args:
        address: `host:port` of a cluster's head; None: start Ray here, without its dashboard.
        tidy: Called before this process ends because the head is gone, see `watched_head`.
    Yields:
        For each live node, how much it has of each resource: `CPU`, `GPU`, ...
    Raises:
        ClusterError: If Ray cannot be started or joined.
    """
    with contextlib.ExitStack() as stack:
        how: dict[str, Any] = {}
        logs = ""
        if address is None:
            folder = stack.enter_context(_own_folder())
            how = {"num_cpus": num_cpus(), "include_dashboard": False, "_temp_dir": folder}
            logs = f" Ray's logs are in {folder}."
        stack.enter_context(_joined(address, how))
        stack.enter_context(watched_head(address is None, tidy, logs))
        yield alive_nodes()


@contextmanager
def _own_folder() -> Iterator[str]:
    """A folder for one local Ray: deleted in the end, unless Ray failed and its logs may tell why.

    Raises:
        RayFailed: What is raised in the block, and where the logs are.
    """
    place = session_folder()
    Path(place).mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=Path(place).absolute())
    try:
        yield folder
    except RayFailed as error:
        raise RayFailed(f"{error} Ray's logs are in {folder}.") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _joined(address: str | None, how: dict[str, Any]) -> Iterator[None]:
    """Connect to Ray; see `cluster`."""
    if address is None:
        if not any(map(os.environ.get, TOKEN_VARIABLES)):
            # Without a token in the environment, Ray would write one into the home folder.
            os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    else:
        _check_reachable(address)
    os.environ.update(ENVIRONMENT)
    old_handler = signal.getsignal(signal.SIGTERM)
    old_umask = os.umask(0o077)  # Ray inherits it: other users cannot read its logs.
    import ray

    try:
        # Ray's processes import from the folder in which this happens, before all others. Users may
        # be in a store, where others may have put anything.
        with contextlib.chdir(ROOT_FOLDER):
            ray.init(
                # Never None: Ray would then try to join a cluster that ended long ago, if that left
                # its address behind.
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **how,
            )
    except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        target, remedy = "start Ray here", "`fairdarts doctor` checks this machine"
        if address:
            target = f"join the cluster at {address}"
            remedy = "its token must be on this machine too (`ray get-auth-token` on the head)"
        raise RayFailed(f"cannot {target} ({first_line(error)}): {remedy}.") from error
    except SystemExit:
        # Ray has replaced our SIGTERM handler, and its own raises SystemExit. Our callers tidy up
        # after a KeyboardInterrupt.
        raise KeyboardInterrupt from None
    finally:
        os.umask(old_umask)
        # Python allows only the main thread to set a handler.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, old_handler)
    # The agenda says why a stage ended, in one line. Ray would still print the last lines of a dead
    # raylet's log, on stdout; its own debugger switches that off like this.
    ray._private.worker._worker_logs_enabled = False
    for name in ("ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        ray.shutdown()


def alive_nodes() -> list[dict[str, float]]:
    """For each live node of the cluster, how much it has of each resource: `CPU`, `GPU`, ..."""
    import ray

    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return [dict(node["Resources"]) for node in nodes if node["Alive"]]


def end_on_its_node(holder: Holder) -> None:
    """End a process of the cluster, wherever it is; do not wait for that."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    if holder.is_here:
        end_process(holder)
        return
    end = ray.remote(num_cpus=0)(end_process)
    for node in ray.nodes():  # type: ignore[no-untyped-call]
        # Containers of one host may have its name; each ends only what it sees.
        if node["Alive"] and node["NodeManagerHostname"] == holder.host:
            where = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            end.options(scheduling_strategy=where).remote(holder)


@contextmanager
def ray_faults() -> Iterator[None]:
    """Turn an error of Ray itself inside the block into one sentence.

    Raises:
        RayFailed: If Ray failed.
    """
    import ray
    from ray.tune import TuneError

    try:
        yield
    except (ray.exceptions.RayError, TuneError) as error:
        raise RayFailed(
            f"Ray stopped working ({first_line(error)}); all finished epochs are kept: run the "
            "same command again."
        ) from error


def session_folder() -> str:
    """The folder in which a local Ray gets a folder of its own, for its sockets and logs.

    It is the folder that Ray itself would choose. If the paths of sockets would be too long there,
    it is one in `/tmp`: a long `TMPDIR` was set for other programs and should not stop a sweep.

    Raises:
        ClusterError: If the paths are too long in `RAY_TMPDIR`, which the user set for Ray alone.
    """
    chosen = os.environ.get("RAY_TMPDIR")
    place = chosen or os.environ.get("TMPDIR") or DEFAULT_TMPDIR
    session = os.fsencode(Path(place) / f"{PREFIX}12345678")
    too_long = len(session) + len(LONGEST_SOCKET) - MAX_SOCKET_BYTES
    if too_long <= 0:
        return place
    if chosen:
        raise ClusterError(
            f"RAY_TMPDIR (={chosen!r}) is {too_long} bytes too long for the names of Ray's "
            f"sockets: set it to a folder with a shorter name, such as {DEFAULT_TMPDIR}."
        )
    return DEFAULT_TMPDIR


def _check_reachable(address: str) -> None:
    """Fail within seconds if nothing answers there; Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise ClusterError(
            f"address (={address!r}) must be host:port of the cluster's head, such as head:6379."
        )
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise ClusterError(
            f"no Ray cluster answers at {address} ({error}): start its head with "
            "`ray start --head`, or leave out --address to run on this machine."
        ) from None
