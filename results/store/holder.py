"""Tells which process holds the lease of an attempt, and whether that process is alive.

If the holder runs on this host and in the same container, the process table tells at once that it
is gone. Otherwise, and for a process that is there but stopped, the age of its heartbeat tells. The
age is measured with the clock of the file system, because the clocks of two hosts may differ by
minutes.
"""

import os
import socket
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from results.store.attempt_files import AttemptPaths
from results.store.files import parsed

HEARTBEAT_S = 15.0
BEATS = 8
"""A process that has missed this many beats is taken for dead."""
STALE_S = BEATS * HEARTBEAT_S
"""That is, if its heartbeat is older than this; unless its lease names other beats."""


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
    heartbeat_s: float = HEARTBEAT_S
    """Seconds from one heartbeat to the next."""

    @property
    def name(self) -> str:
        """Names the process to people."""
        return f"{self.host} pid {self.pid}"

    @property
    def stale_s(self) -> float:
        """The process is taken for dead if its heartbeat is older than this."""
        return BEATS * self.heartbeat_s

    @property
    def is_here(self) -> bool:
        """Whether the process is one of this host and container, and there."""
        return _sees_pids_of(self) and _started(self.pid) == self.started


@dataclass(frozen=True)
class Hold:
    """What can be seen of the process that has taken an attempt and not given it back."""

    name: str
    silent_s: float
    """Age of its heartbeat."""
    is_alive: bool
    """False if it is silent for so long that another process may take the stage."""


def this_process(run: str = "", heartbeat_s: float = HEARTBEAT_S) -> dict[str, Any]:
    """Identifies this process, as the content of a LEASE.json.

    Args:
        run: See `Holder.run`.
        heartbeat_s: See `Holder.heartbeat_s`.
    """
    return asdict(_this_process()) | {"run": run, "heartbeat_s": heartbeat_s}


def holder_of(attempt: AttemptPaths) -> Holder | None:
    """The process that took an attempt; None if its lease is missing or damaged."""
    return parsed(attempt.lease, lambda lease: Holder(**lease))


def hold_on(attempt: AttemptPaths) -> Hold | None:
    """The hold of a process on an attempt; None if it has given it back, or is gone."""
    if attempt.released.exists():
        return None
    holder = holder_of(attempt)
    if holder and _sees_pids_of(holder) and not holder.is_here:
        return None
    try:
        silent_s = _file_system_now(attempt.folder) - attempt.heartbeat.stat().st_mtime
    except FileNotFoundError:
        return None
    # If the lease is damaged, the heartbeat can still tell whether its holder lives.
    name = holder.name if holder else f"unknown ({attempt.lease} is damaged)"
    return Hold(name, silent_s, silent_s < (holder.stale_s if holder else STALE_S))


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
