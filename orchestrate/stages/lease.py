"""Attempts at a stage: a numbered folder each, and the newest one holds the lease.

Taking a stage means creating the next attempt's folder, which succeeds for exactly one process. An
older attempt that is still running finds a newer folder at its next commit and stops: it has been
superseded.
"""

import contextlib
import os
import secrets
import shutil
import threading
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from orchestrate.errors import Held, Superseded, first_line
from orchestrate.stages.holder import HEARTBEAT_S, this_process
from orchestrate.stages.paths import AttemptPaths, StagePaths
from orchestrate.stages.state import Failure, stage_state
from orchestrate.statuses import Outcome, Status
from results.store.files import write_json


class Attempt:
    """This process's lease on a stage, from `take` until `finish`, `fail` or `release`."""

    def __init__(self, stage_dir: Path, number: int) -> None:
        self.stage = StagePaths(stage_dir)
        self.number = number
        self.paths: AttemptPaths = self.stage.attempt(number)
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    @classmethod
    def take(cls, stage_dir: Path) -> "Attempt":
        """Become the one that computes this stage.

        Raises:
            Held: If another live process computes it, was faster, or has finished it.
        """
        state = stage_state(stage_dir)
        if state.status == Status.DONE:
            raise Held("done a moment ago")
        if state.status == Status.RUNNING:
            raise Held(f"computed by {state.holder}")
        number = state.attempt + 1
        folder = StagePaths(stage_dir).attempt(number).folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        claim = AttemptPaths(folder.parent / f".claim-{secrets.token_hex(8)}")
        claim.folder.mkdir()
        try:
            write_json(claim.lease, this_process())
            claim.heartbeat.touch()
            claim.folder.rename(folder)  # Fails where another process was first: it is not empty.
        except BaseException as error:
            shutil.rmtree(claim.folder, ignore_errors=True)
            if isinstance(error, OSError) and folder.exists():
                raise Held("another process took it a moment ago") from None
            raise
        return cls(stage_dir, number)

    def check(self) -> None:
        """Make sure, before every commit, that nobody has taken the stage over.

        Raises:
            Superseded: If somebody has.
        """
        if self.stage.attempt(self.number + 1).folder.exists():
            raise Superseded(f"attempt {self.number} was superseded by a newer one")

    def remove_leftovers(self) -> None:
        """Delete what earlier attempts were writing in the stage's folder when they were killed."""
        for path in self.stage.leftovers():
            path.unlink(missing_ok=True)

    def log(self, line: str) -> None:
        """Append a line to the attempt's log."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        with self.paths.log.open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {line}\n")

    def finish(self, outcome: Outcome, reason: str = "") -> None:
        """Mark the stage as done: the last thing that happens to it."""
        self.check()
        mark = {"attempt": self.number, "outcome": outcome, "reason": reason}
        write_json(self.stage.done, mark)
        self.release()  # Should the mark be lost, this process must not seem to compute it still.

    def fail(self, kind: str, error: BaseException) -> None:
        """Mark this attempt as failed and keep the error and its traceback in its log.

        Where not even the mark can be written, the stage is given back: it reads as lost. A log
        that cannot be written costs nothing else.
        """
        failure = Failure(self.number, kind, type(error).__name__, first_line(error))
        try:
            with contextlib.suppress(OSError):
                write_json(self.paths.failed, asdict(failure))
        finally:
            self.release()
        with contextlib.suppress(OSError):
            self.log("".join(traceback.format_exception(error)).rstrip())

    def release(self) -> None:
        """Hold the stage no longer: one without a mark reads as lost at once."""
        self._stop_heartbeat()
        # A rename, for it succeeds on a full disk, too.
        with contextlib.suppress(OSError):
            self.paths.heartbeat.rename(self.paths.released)

    def _stop_heartbeat(self) -> None:
        self._stop.set()
        self._heart.join()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):  # A busy file system must not end the training.
                os.utime(self.paths.heartbeat)
