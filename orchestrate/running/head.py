"""Watches what a run cannot do without, of Ray, and ends this process in good order if it is gone.

Ray itself would wait for a minute and then abort the process, with its stages still taken; or, if
only its `raylet` is gone, wait for ever.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

PROBE_S = 1.0
TIMEOUT_S = 5.0
PATIENCE_S = 40.0
"""Whoever runs a cluster may start its head again; Ray itself waits for a minute."""
PARTS = ("gcs_server", "raylet")
"""Processes of a Ray of our own, without which it does nothing. Nobody starts them again."""
NOT_FINISHED = 1
"""Exit code of a run with unfinished trials."""


@contextmanager
def watched_head(is_own: bool, tidy: Callable[[], None], where: str = "") -> Iterator[None]:
    """Inside, this process ends if the head of its cluster is gone. Ray must be running.

    Nothing less ends it: its main thread may hang in Ray.

    Args:
        is_own: Whether this process has started the cluster: then its other processes end, too.
        tidy: Called before the end.
        where: Appended to the sentence that says what happened.
    """
    watch = _dead_part if is_own else _silent_head
    stop = threading.Event()

    def end_if_lost() -> None:
        lost, left = watch(stop)
        if not lost:
            return
        try:
            _end(left)
            tidy()
            sentence = (
                f"error: {lost} is gone; all finished epochs are kept: run the same command again."
            )
            with suppress(OSError):  # The terminal may be gone.
                print(f"{sentence}{where}", file=sys.stderr, flush=True)
        finally:
            os._exit(NOT_FINISHED)

    threading.Thread(target=end_if_lost, daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _dead_part(stop: threading.Event) -> tuple[str, list[psutil.Process]]:
    """Wait until a part of our own Ray dies; "" if told to stop before.

    Also returns the other processes of this Ray: those that the part has started are no longer
    among our children then.
    """
    family = psutil.Process().children(recursive=True)
    parts = {name: child for child in family if (name := child.name()) in PARTS}
    while not stop.wait(PROBE_S):
        now = psutil.Process().children(recursive=True)
        for name, part in parts.items():
            if _is_dead(part):
                return f"the process {name} of Ray", family
        family = now
    return "", []


def _silent_head(stop: threading.Event) -> tuple[str, list[psutil.Process]]:
    """Wait until the head of a cluster, or the raylet of this node, is gone; "" if told to stop."""
    import ray

    address = ray.get_runtime_context().gcs_address
    raylet = _raylet_of_this_node()
    silent_s = 0.0  # Added up, because this process may have been stopped in between.
    while silent_s < PATIENCE_S:
        began = time.monotonic()
        if stop.wait(PROBE_S):
            return "", []
        answers = _answers(address)
        # A head without power refuses nothing: then each probe takes until its time is over.
        passed_s = min(time.monotonic() - began, PROBE_S + TIMEOUT_S)
        silent_s = 0.0 if answers else silent_s + passed_s
        if answers and raylet is not None and _is_dead(raylet):
            return "the process raylet of Ray on this node", []
    return f"the head of the Ray cluster (gcs_server at {address})", []


def _raylet_of_this_node() -> psutil.Process | None:
    """The raylet through which this process has joined; None if it is not to be seen from here."""
    from ray._private.worker import _global_node

    if _global_node is None:
        return None
    option = f"--raylet_socket_name={_global_node.raylet_socket_name}"
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "raylet" and option in (process.info["cmdline"] or ()):
            return process
    return None


def _is_dead(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=TIMEOUT_S).close()
    except OSError:
        return False
    return True


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=TIMEOUT_S)
