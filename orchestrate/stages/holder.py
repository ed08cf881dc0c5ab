"""Who holds a lease, and whether that process is still alive.

On its own host the process table is asked, elsewhere the age of the heartbeat, by the clock of the
file system: no two hosts' clocks are compared.
"""

import os
import socket
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from orchestrate.stages.paths import AttemptPaths
from results.store.files import parsed

HEARTBEAT_S = 15.0
STALE_S = 8 * HEARTBEAT_S
"""A heartbeat of another host that is older than this belongs to a dead process."""


@dataclass(frozen=True)
class Holder:
    """What identifies a process to others, for as long as it lives: the content of a LEASE.json."""

    host: str
    pid: int
    started: str
    """See `_started`."""
    boot: str
    pid_namespace: str
    """Processes with the same host, boot and pid namespace see each other's pids."""


def this_process() -> dict[str, Any]:
    """What identifies this process, as JSON."""
    return asdict(_this_process())


def live_holder(attempt: AttemptPaths) -> str:
    """Who holds the lease of this attempt, or nothing if the holder is gone."""
    if attempt.released.exists():
        return ""
    holder = parsed(attempt.lease, lambda lease: Holder(**lease))
    # The heartbeat still tells where the lease is damaged.
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
    except OSError:  # Not Linux: one namespace, and the boot time will do.
        boot, namespace = f"{psutil.boot_time():.0f}", ""
    return Holder(socket.gethostname(), pid, _started(pid), boot, namespace)


def _sees_pids_of(holder: Holder) -> bool:
    here = _this_process()
    there = (holder.host, holder.boot, holder.pid_namespace)
    return there == (here.host, here.boot, here.pid_namespace)


def _started(pid: int) -> str:
    """When a process began, in a form that no clock can move; nothing if it is gone.

    A pid is used again; a process that began at another time is another process.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
        except OSError:
            return f"{process.create_time():.0f}"
        return stat.rpartition(")")[2].split()[19]  # starttime of proc(5), ticks since the boot
    except psutil.NoSuchProcess:
        return ""


def _file_system_now(folder: Path) -> float:
    """The clock that heartbeats are stamped by, which may differ from this host's."""
    try:
        with tempfile.NamedTemporaryFile(prefix=".clock-", dir=folder) as probe:
            return os.fstat(probe.fileno()).st_mtime
    except OSError:  # A reader who may not write asks the nearest clock.
        return time.time()
