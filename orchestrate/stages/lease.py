"""Attempts at a stage: a numbered folder each, and the newest one holds the lease.

```
stages/<kind>/<k2>/<key>/
  SPEC.json                 what the stage computes
  attempts/a0001/           LEASE.json, heartbeat, log.txt and, where it failed, FAILED.json
  checkpoints/              see `orchestrate.stages.checkpoints`
  DONE.json                 the stage is complete
```

Taking a stage means creating the next attempt's folder, which succeeds for exactly one process. An
older attempt that is still running finds a newer folder at its next commit and stops: it has been
superseded. Whether a holder lives is asked of the process table on its own host, and of the age of
its heartbeat, by the file system's clock, elsewhere.
"""

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from orchestrate.errors import Held, Superseded, first_line
from results.store.files import read_json, write_json, write_whole

HEARTBEAT_S = 15.0
WRONG_IMAGES = "wrong_images"
"""The kind of a failure that is not counted: another try is not its remedy, but other images."""
STALE_S = 8 * HEARTBEAT_S
"""A heartbeat of another host that is older than this belongs to a dead process."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed."""

    attempt: int
    kind: str
    error_type: str
    message: str


@dataclass(frozen=True)
class StageState:
    """What the files of a stage say, never stored anywhere else."""

    status: str
    """pending, running, lost (its holder died), failed or done."""
    attempt: int
    """Number of the newest attempt, 0 if there is none."""
    num_failures: int
    """How many attempts failed by their own fault: not by images other than the planned ones."""
    holder: str = ""
    """Who computes it, such as "node7 pid 4242"."""
    outcome: str = ""
    """Of a stage that is done: ok or invalid."""
    reason: str = ""
    """Why it is invalid or failed, one line."""
    log: Path | None = None
    """Log of the newest attempt."""


def stage_state(stage_dir: Path) -> StageState:
    """The state of a stage, from its files."""
    numbers = _attempt_numbers(stage_dir)
    newest = max(numbers, default=0)
    log = _attempt_dir(stage_dir, newest) / "log.txt" if newest else None
    done = stage_dir / "DONE.json"
    if done.exists():
        mark = read_json(done)
        return StageState("done", newest, 0, "", mark["outcome"], mark["reason"], log)
    if not newest:
        return StageState("pending", 0, 0)
    failures = [f for n in numbers if (f := _failure(stage_dir, n)) is not None]
    num_failures = sum(failure.kind != WRONG_IMAGES for failure in failures)
    last = failures[-1] if failures and failures[-1].attempt == newest else None
    if last is not None:
        reason = f"{last.error_type}: {last.message}" if last.message else last.error_type
        return StageState("failed", newest, num_failures, reason=reason, log=log)
    holder = _live_holder(_attempt_dir(stage_dir, newest))
    status = "running" if holder else "lost"
    return StageState(status, newest, num_failures, holder=holder, log=log)


class Attempt:
    """This process's lease on a stage, from `take` until `finish`, `fail` or `abandon`."""

    def __init__(self, stage_dir: Path, number: int) -> None:
        self.stage_dir = stage_dir
        self.number = number
        self.folder = _attempt_dir(stage_dir, number)
        self.log_path = self.folder / "log.txt"
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    @classmethod
    def take(cls, stage_dir: Path) -> "Attempt":
        """Become the one that computes this stage.

        Raises:
            Held: If another live process is at it, was faster, or has finished it.
        """
        state = stage_state(stage_dir)
        if state.status == "done":
            raise Held("done a moment ago")
        if state.status == "running":
            raise Held(f"computed by {state.holder}")
        number = state.attempt + 1
        folder = _attempt_dir(stage_dir, number)
        folder.parent.mkdir(parents=True, exist_ok=True)
        claim = folder.parent / f".claim-{secrets.token_hex(8)}"
        claim.mkdir()
        try:
            write_json(claim / "LEASE.json", _this_process())
            (claim / "heartbeat").touch()
            claim.rename(folder)  # Fails where another process made it first: it is not empty.
        except OSError:
            shutil.rmtree(claim, ignore_errors=True)
            if not folder.exists():
                raise
            raise Held("another process took it a moment ago") from None
        return cls(stage_dir, number)

    def check(self) -> None:
        """Make sure, before every commit, that nobody has taken the stage over.

        Raises:
            Superseded: If somebody has.
        """
        if _attempt_dir(self.stage_dir, self.number + 1).exists():
            raise Superseded(f"attempt {self.number} was superseded by a newer one")

    def remove_leftovers(self) -> None:
        """Delete what earlier attempts were writing in the stage's folder when they were killed."""
        # Not inside `.claim-*`: another process may be about to try for the stage.
        for pattern in (".*.tmp", "checkpoints/.*.tmp", "attempts/a*/.*.tmp"):
            for path in self.stage_dir.glob(pattern):
                path.unlink(missing_ok=True)

    def log(self, line: str) -> None:
        """Append a line to the attempt's log."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        with self.log_path.open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {line}\n")

    def finish(self, outcome: str, reason: str = "") -> None:
        """Mark the stage as done: the last thing that happens to it."""
        self.check()
        mark = {"attempt": self.number, "outcome": outcome, "reason": reason}
        write_json(self.stage_dir / "DONE.json", mark)
        self.abandon()

    def fail(self, kind: str, error: BaseException) -> None:
        """Mark this attempt as failed and keep the error and its traceback."""
        self.log("".join(traceback.format_exception(error)).rstrip())
        failure = {
            "attempt": self.number,
            "kind": kind,
            "error_type": type(error).__name__,
            "message": first_line(error),
        }
        write_json(self.folder / "FAILED.json", failure)
        self.abandon()

    def abandon(self) -> None:
        """Stop the heartbeat: the stage is free once this process is gone."""
        self._stop.set()
        self._heart.join()

    def release(self) -> None:
        """Give the stage back unfinished, so that it reads as lost at once."""
        self.abandon()
        with contextlib.suppress(OSError):
            write_whole(self.folder / "RELEASED", b"")

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):  # A busy file system must not end the training.
                os.utime(self.folder / "heartbeat")


def _attempt_dir(stage_dir: Path, number: int) -> Path:
    return stage_dir / "attempts" / f"a{number:04d}"


def _attempt_numbers(stage_dir: Path) -> list[int]:
    try:
        names = [path.name for path in (stage_dir / "attempts").iterdir()]
    except FileNotFoundError:
        return []
    return sorted(int(name[1:]) for name in names if name.startswith("a") and name[1:].isdigit())


def _failure(stage_dir: Path, number: int) -> Failure | None:
    path = _attempt_dir(stage_dir, number) / "FAILED.json"
    return Failure(**read_json(path)) if path.exists() else None


def _this_process() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "started": _started(pid), **_process_table()}


def _live_holder(folder: Path) -> str:
    """Who holds the lease of this attempt, or nothing if the holder is gone."""
    if (folder / "RELEASED").exists():
        return ""
    lease = read_json(folder / "LEASE.json")
    name = f"{lease['host']} pid {lease['pid']}"
    here = {"host": socket.gethostname(), **_process_table()}
    if all(lease[key] == value for key, value in here.items()):
        return name if _started(lease["pid"]) == lease["started"] else ""
    try:
        age_s = _file_system_now(folder) - (folder / "heartbeat").stat().st_mtime
    except FileNotFoundError:
        return ""
    return name if age_s < STALE_S else ""


def _process_table() -> dict[str, str]:
    """What two processes share that see each other's pids: the boot and the pid namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return {"boot": boot, "pid_namespace": str(Path("/proc/self/ns/pid").readlink())}
    except OSError:  # Not Linux: one namespace, and the boot time will do.
        return {"boot": f"{psutil.boot_time():.0f}", "pid_namespace": ""}


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
