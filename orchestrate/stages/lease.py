"""Attempts at a stage. Each one has a numbered folder, and the newest one holds the stage.

A process takes a stage by creating the folder of the next attempt; only one process can succeed. If
an older attempt is still alive (its host only seemed dead), it finds the newer folder before its
next write and stops: it is superseded. There are no lock files that a dead process could leave.
"""

import contextlib
import secrets
import shutil
import traceback
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from orchestrate.errors import Held, Stalled, Superseded, first_line
from orchestrate.stages.heart import Heart
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import done_of, stage_state
from orchestrate.statuses import Outcome, Status
from results.statuses import FailureKind
from results.store.attempt_files import AttemptPaths, Failure, failure_of
from results.store.files import claim_json, write_json
from results.store.holder import HEARTBEAT_S, holder_of, this_process


class Attempt:
    """This process's hold on a stage, from `take` until `finish`, `fail` or `release`.

    Its heart beats in the meantime.
    """

    def __init__(self, stage_dir: Path, number: int, heartbeat_s: float = HEARTBEAT_S) -> None:
        self.stage = StagePaths(stage_dir)
        self.number = number
        self.paths: AttemptPaths = self.stage.attempt(number)
        self._heart = Heart(self.paths.heartbeat, heartbeat_s)

    @classmethod
    def take(cls, stage_dir: Path, run: str = "", heartbeat_s: float = HEARTBEAT_S) -> "Attempt":
        """Take the stage, to compute it.

        Args:
            stage_dir: The folder of the stage.
            run: The run of a sweep that this process works for, see `give_back`.
            heartbeat_s: How often to show that this process lives.
        Raises:
            Held: If another live process holds it, took it first, or has finished it.
        """
        state = stage_state(stage_dir)
        if state.status == Status.DONE:
            raise Held("done a moment ago")
        if state.status == Status.RUNNING:
            raise Held(f"computed by {state.holder}")
        # The takeover: the stage is pending, failed, or lost by a process that is gone. Whoever
        # creates the folder of the next number holds it; an older attempt that is alive after all
        # finds that folder (`check`) and stops.
        number = max(state.attempt, StagePaths(stage_dir).deleted_attempt()) + 1
        folder = StagePaths(stage_dir).attempt(number).folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Prepare the folder under another name: with its final name it must appear complete, as
        # others read the lease at once.
        claim = AttemptPaths(folder.parent / f".claim-{secrets.token_hex(8)}")
        claim.folder.mkdir()
        try:
            write_json(claim.lease, this_process(run, heartbeat_s))
            claim.heartbeat.touch()
            # Fails if another process was first: a folder that is not empty is never replaced.
            claim.folder.rename(folder)
        except BaseException as error:
            shutil.rmtree(claim.folder, ignore_errors=True)
            if isinstance(error, OSError) and folder.exists():
                raise Held("another process took it a moment ago") from None
            raise
        attempt = cls(stage_dir, number, heartbeat_s)
        older = attempt.stage.attempt(state.attempt)
        if state.starts_again and failure_of(older) is None:
            with contextlib.suppress(OSError):
                mark_stalled(older, state.reason)
        return attempt

    def check(self) -> None:
        """Make sure that no other process has taken the stage over; called before every write.

        Raises:
            Superseded: If one has.
        """
        if self.stage.attempt(self.number + 1).folder.exists():
            raise Superseded(f"attempt {self.number} was superseded by a newer one")

    def remove_leftovers(self) -> None:
        """Delete the temporary files of earlier attempts that were killed while they wrote."""
        for path in self.stage.leftovers():
            path.unlink(missing_ok=True)

    def log(self, line: str) -> None:
        """Append a line to the attempt's log."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        with self.paths.log.open("a", encoding="utf-8") as file:
            file.write(f"{stamp} {line}\n")

    def finish(self, outcome: Outcome, reason: str = "") -> None:
        """Mark the stage as done, and give it back. Everything else is written by then.

        Raises:
            Superseded: If another process has taken the stage over.
        """
        self.check()
        mark = {"attempt": self.number, "outcome": outcome, "reason": reason}
        # This process may have been stopped since the check, while another one took the stage over
        # and finished it: that mark must stay.
        while not claim_json(self.stage.done, mark):
            there = done_of(self.stage)
            if there is not None and there.attempt > self.number:
                raise Superseded(f"attempt {there.attempt} has finished the stage")
            self.stage.done.unlink(missing_ok=True)  # Damaged, or its rows are gone.
        self.release()  # If the mark gets lost later, nobody must wait for this process.

    def fail(self, kind: str, error: BaseException) -> None:
        """Mark this attempt as failed, give the stage back, and log the error with its traceback.

        On a full disk neither the mark nor the log may be written. The stage is given back all the
        same: without a mark it is lost, and not running for ever.
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
        """Give the stage back: without a mark it is lost at once, and others may take it."""
        self._heart.stop()
        # Renamed instead of written, because a rename succeeds on a full disk too.
        with contextlib.suppress(OSError):
            self.paths.heartbeat.rename(self.paths.released)


def mark_stalled(attempt: AttemptPaths, reason: str) -> None:
    """Leave word why an attempt ended, in place of its process, which shows no sign of life."""
    number = int(attempt.folder.name[1:])
    write_json(
        attempt.failed, asdict(Failure(number, FailureKind.STALLED, Stalled.__name__, reason))
    )


def give_back(stage_dir: Path, run: str) -> None:
    """Release a stage that a process of this run held and cannot release, because it was killed.

    So nobody waits until its heartbeat is stale. If that process is alive in spite of everything,
    nothing is lost: it stops as soon as another one takes the stage.

    Args:
        stage_dir: The folder of the stage.
        run: The run of a sweep; attempts of other runs are left alone.
    """
    paths = StagePaths(stage_dir)
    newest = paths.attempt(max(paths.attempt_numbers(), default=0))
    holder = holder_of(newest)
    if holder is not None and holder.run == run:
        with contextlib.suppress(OSError):  # Released already, or finished.
            newest.heartbeat.rename(newest.released)
