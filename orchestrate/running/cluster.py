"""Starting or joining Ray, and leaving it: one context manager."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestrate.errors import ClusterError, first_line
from orchestrate.planning.resources import num_cpus

# Read by Ray when it is imported: our own view takes the place of its console output, and our store
# that of its experiment state.
ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}

CONNECT_TIMEOUT_S = 10.0


@contextmanager
def cluster(address: str | None) -> Iterator[list[dict[str, float]]]:
    """Start Ray on this machine, or join a running cluster, for the length of the block.

    Args:
        address: `host:port` of a cluster's head; None: start one here, with the dashboard off.
    Yields:
        What each node has: `CPU`, `GPU`, ...
    Raises:
        ClusterError: If Ray cannot be started or joined.
    """
    if address is not None:
        _check_reachable(address)
    os.environ.update(ENVIRONMENT)
    old_handler = signal.getsignal(signal.SIGTERM)
    old_umask = os.umask(0o077)  # Ray's token file would be readable by every user of the machine.
    import ray

    local: dict[str, Any] = {"num_cpus": num_cpus(), "include_dashboard": False}
    try:
        ray.init(
            # Never bare: Ray would then attach to whatever a dead cluster left behind.
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if address else local),
        )
    except (RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        target, remedy = "start Ray here", "`fairdarts doctor` checks this machine"
        if address:
            target = f"join the cluster at {address}"
            remedy = "its token must be on this machine too (`ray get-auth-token` on the head)"
        raise ClusterError(f"cannot {target} ({first_line(error)}): {remedy}.") from error
    finally:
        os.umask(old_umask)
    for name in ("ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Ray puts its own handler of SIGTERM in the place of ours.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, old_handler)
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    try:
        yield [dict(node["Resources"]) for node in nodes if node["Alive"]]
    finally:
        ray.shutdown()


@contextmanager
def ray_faults() -> Iterator[None]:
    """Say in one sentence that Ray itself failed inside the block.

    Raises:
        ClusterError: If it did.
    """
    import ray
    from ray.tune import TuneError

    try:
        yield
    except (ray.exceptions.RayError, TuneError) as error:
        raise ClusterError(
            f"Ray stopped working ({first_line(error)}); all finished epochs are kept: run the "
            "same command again."
        ) from error


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes."""
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
