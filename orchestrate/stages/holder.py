"""Tells which process holds the lease of an attempt, and whether that process is alive.

If the holder runs on this host and in the same container, the process table tells at once.
Otherwise only the age of its heartbeat tells. The age is measured with the clock of the file
system, because the clocks of two hosts may differ by minutes.
"""

import contextlib
import os
import socket
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from orchestrate.stages.paths import AttemptPaths
from results.store.files import parsed

HEARTBEAT_S = 15.0
STALE_S = 8 * HEARTBEAT_S
"""A process that this one cannot see is taken for dead if its heartbeat is older than this."""


@dataclass(frozen=True)
class Holder:
    """Identifies a process while it lives: the content of a LEASE.json."""

    host: str
    pid: int
    started: str
    """See `_started`."""
    boot: str
    pid_namespace: str
    """Processes with the same host, boot and pid namespace see each other's pids."""
    run: str = ""
    """The run of a sweep that the process works for; "" outside of runs, and in older stores."""


class Heart:
    """A thread that touches a heartbeat, so that processes on other hosts see that this one lives.

    Args:
        heartbeat: The file to touch.
    """

    def __init__(self, heartbeat: Path) -> None:
        self._heartbeat = heartbeat
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            # A missed beat does no harm: other hosts wait for the length of eight.
            with contextlib.suppress(OSError):
                os.utime(self._heartbeat)


def this_process(run: str = "") -> dict[str, Any]:
    """Identifies this process, as the content of a LEASE.json.

    Args:
        run: See `Holder.run`.
    """
    return asdict(_this_process()) | {"run": run}


def live_holder(attempt: AttemptPaths) -> str:
    """Name of the live process that holds this attempt, or "" if that process is gone."""
    if attempt.released.exists():
        return ""
    holder = parsed(attempt.lease, lambda lease: Holder(**lease))
    # If the lease is damaged, the heartbeat can still tell whether its holder lives.
    name = f"{holder.host} pid {holder.pid}" if holder else f"unknown ({attempt.lease} is damaged)"
    if holder and _sees_pids_of(holder):
        return name if _started(holder.pid) == holder.started else ""
    try:
        age_s = _file_system_now(attempt.folder) - attempt.heartbeat.stat().st_mtime
    except FileNotFoundError:
        return ""
    return name if age_s < STALE_S else ""


def _this_process() -> Holder:
    pid = os.getpid()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # Not Linux: there are no pid namespaces, and the boot time tells boots apart.
        boot, namespace = f"{psutil.boot_time():.0f}", ""
    return Holder(socket.gethostname(), pid, _started(pid), boot, namespace)


def _sees_pids_of(holder: Holder) -> bool:
    here = _this_process()
    there = (holder.host, holder.boot, holder.pid_namespace)
    return there == (here.host, here.boot, here.pid_namespace)


def _started(pid: int) -> str:
    """When a process started, or "" if it is gone.

    The system gives the pid of a dead process to a new one. Pid and start time together tell them
    apart. On Linux the start is counted in ticks since the boot: setting the clock does not change
    it.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:  # It has ended; its parent has not noticed.
            return ""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
        except OSError:
            return f"{process.create_time():.0f}"
        # The field `starttime` of proc(5). The name of the program, in parentheses before it, may
        # contain spaces.
        return stat.rpartition(")")[2].split()[19]
    except psutil.NoSuchProcess:
        return ""


def _file_system_now(folder: Path) -> float:
    """Time of the clock that sets modification times in this folder; on NFS, the server's clock."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".clock-", dir=folder) as probe:
            return os.fstat(probe.fileno()).st_mtime
    except OSError:  # A user who may only read the store: the clock of this host is close enough.
        return time.time()
