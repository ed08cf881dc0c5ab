"""Makes one attempt at a stage: takes it, computes it, and records how that ended.

The attempt continues from the newest intact checkpoint, or starts from scratch if there is none.
Nothing here knows of Ray.
"""

import contextlib
import errno
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch

from fairdarts.errors import CheckpointError
from orchestrate.errors import Diverged, Held, ProcessDied, Stopped, Superseded, WrongImages
from orchestrate.planning.plan import StageSpec
from orchestrate.planning.resources import NEVER, StallAfter
from orchestrate.running.drivers import StopLine
from orchestrate.stages.deadline import deadline, start_limit_s
from orchestrate.stages.images import cause
from orchestrate.stages.kinds import STAGES
from orchestrate.stages.lease import Attempt
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.runtime import Runtime, uncommitted_changes
from orchestrate.stages.stage_run import StageRun, stage_rows
from orchestrate.stages.stall import StallWatch, beat_s
from orchestrate.stages.state import CONTINUES
from orchestrate.statuses import Outcome
from results.errors import DamagedFile
from results.statuses import AttemptStatus, FailureKind
from results.store.attempts import lost
from results.store.files import parsed, write_json, write_whole
from results.store.layout import live_name
from results.store.store import Store
from results.text import clean_text

MAX_MESSAGE_BYTES = 2000


def run_stage(
    stage: StageSpec,
    store: Store,
    runtime: Runtime,
    on_epoch: Callable[[], None] = lambda: None,
    run: str = "",
    stall_after: StallAfter = NEVER,
) -> Outcome:
    """Make one attempt at a stage, as far as it gets.

    A failure is recorded in the store and not raised, so that other stages go on.

    Args:
        stage: What to compute.
        store: Where everything is read and written.
        runtime: Device and threads.
        on_epoch: Called after the row and the checkpoint of every epoch are written.
        run: The run of a sweep that this process works for, see `Holder.run`.
        stall_after: When to end this process because its stage does not get on, see `StallWatch`.
    Returns:
        `HELD` if another process computes the stage, took it over, or computes the stage whose
        rows this one will copy.
    """
    paths = StagePaths(store.stage_dir(stage.kind, stage.key))
    with deadline(start_limit_s(stall_after)):
        if parsed(paths.spec, StageSpec.from_dict) is None:  # Not there yet, or damaged.
            write_json(paths.spec, asdict(stage))
        try:
            attempt = Attempt.take(paths.folder, run, beat_s(stall_after))
        except Held:
            return Outcome.HELD
    watch = StallWatch(attempt, stall_after)

    def committed() -> None:
        watch.epoch()
        record.note_damaged()
        on_epoch()
        stop_line.after_epoch()

    stop_line = StopLine(store, run, stage.key)
    stage_run = StageRun(stage, store, attempt, runtime, committed, stop_line.before_step)
    record = _AttemptRecord(stage_run)
    try:
        return _finish_attempt(stage_run, record, watch)
    except BaseException:
        # Such as Ctrl-C. Give the stage back at once, so that nobody waits for the heartbeat to
        # grow stale; the next attempt continues after the last epoch.
        attempt.release()
        with contextlib.suppress(OSError):
            record.write(AttemptStatus.LOST, ended=True)
        raise


def _finish_attempt(run: StageRun, record: "_AttemptRecord", watch: StallWatch) -> Outcome:
    """Compute a stage that this process holds; a failure is recorded and not raised."""
    stage, attempt = run.stage, run.attempt
    try:
        attempt.remove_leftovers()
        run.store.remove_leftovers(stage.key)
        _close_lost_attempts(stage, run.store, attempt)
        run.runtime.apply()
        record.energy_before_j = run.runtime.gpu_energy_j()
        attempt.log(f"attempt {attempt.number} at {stage.kind} {stage.key} on {run.runtime.device}")
        if changes := uncommitted_changes():
            write_whole(attempt.paths.changes, changes)
        record.write(AttemptStatus.RUNNING)
        with watch, run.checkpoints:
            result = STAGES[stage.kind](run)
        record.write(AttemptStatus.OK, ended=True)
        attempt.finish(result.outcome, result.reason)
        return result.outcome
    except (Held, Superseded) as error:
        attempt.release()
        with contextlib.suppress(OSError):  # For example a full disk: the log can be missed.
            attempt.log(str(error))
            if isinstance(error, Held):  # Whoever superseded an attempt has ended its row.
                record.write(AttemptStatus.LOST, ended=True)
        return Outcome.HELD
    except Stopped as error:
        _fail(run, record, error.with_traceback(None))  # The log needs none.
        return Outcome.FAILED
    except Exception as error:
        _fail(run, record, cause(stage, run.store, attempt, error))
        return Outcome.FAILED


def _close_lost_attempts(stage: StageSpec, store: Store, newest: Attempt) -> None:
    """End the rows of earlier attempts, whose processes died, or were ended, before they could.

    One that died between its last row and the mark of the stage says ok, and is lost all the same.
    """
    if newest.number == 1:
        return  # Do not list a folder of thousands of files for a stage that is new.
    with contextlib.suppress(DamagedFile):  # `store check` names it; this attempt needs none.
        for row in stage_rows(store, "attempts", stage.key):
            is_open = row["status"] in (AttemptStatus.RUNNING, AttemptStatus.OK)
            if row["attempt"] == newest.number or not is_open:
                continue
            ended = lost(row, newest.stage.attempt(row["attempt"]))
            store.write_rows("attempts", live_name(stage.key, row["attempt"]), [ended])


def record_crash(stage: StageSpec, store: Store, reason: str) -> None:
    """Mark a stage as failed because its process died again and again.

    Args:
        stage: The stage; no process computes it now.
        store: Where the failure is recorded.
        reason: What is known about the deaths.
    """
    # The dead process could not mark its own attempt, so a new attempt carries the failure.
    try:
        attempt = Attempt.take(store.stage_dir(stage.kind, stage.key))
    except Held:  # Another run has taken it.
        return
    _close_lost_attempts(stage, store, attempt)
    error = ProcessDied(reason)
    now = datetime.now(UTC)
    row = {
        "stage_key": stage.key,
        "attempt": attempt.number,
        "kind": stage.kind,
        "status": AttemptStatus.FAILED,
        "started_at": now,
        "ended_at": now,
    }
    name = live_name(stage.key, attempt.number)
    store.write_rows("attempts", name, [row | _failure(FailureKind.CRASH, error)])
    attempt.fail(FailureKind.CRASH, error)


def _fail(run: StageRun, record: "_AttemptRecord", error: Exception) -> None:
    """Record a failure: the row first, then the mark that makes the stage `failed`.

    A row that cannot be written, as on a full disk, does not prevent the mark.
    """
    kind = failure_kind(error)
    status = AttemptStatus.LOST if kind in CONTINUES else AttemptStatus.FAILED
    with contextlib.suppress(OSError):
        record.write(status, ended=True, **_failure(kind, error))
    run.attempt.fail(kind, error)


def _failure(kind: FailureKind, error: Exception) -> dict[str, Any]:
    return {
        "failure_kind": kind,
        "error_type": type(error).__name__,
        "error_message": clean_text(str(error), MAX_MESSAGE_BYTES),
    }


def failure_kind(error: Exception) -> FailureKind:
    """The kind of a failure, as the column `failure_kind` names it."""
    if isinstance(error, Diverged):
        return FailureKind.DIVERGED
    if isinstance(error, Stopped):
        return FailureKind.STOPPED
    if isinstance(error, WrongImages):
        return FailureKind.WRONG_IMAGES
    if isinstance(error, CheckpointError):
        return FailureKind.BAD_CHECKPOINT
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return FailureKind.OOM
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FailureKind.DISK_FULL
    return FailureKind.EXCEPTION


class _AttemptRecord:
    """The row of one attempt: written at its start and again at its end."""

    def __init__(self, run: StageRun) -> None:
        self.run = run
        self.started_at = datetime.now(UTC)
        self.started = time.monotonic()
        self.num_damaged: int | None = None
        self.energy_before_j: float | None = None
        """What the GPU had used before the attempt; None: nobody counts."""

    def note_damaged(self) -> None:
        """Write the row again if more images were left out than it says."""
        if self.run.num_damaged != self.num_damaged:
            self.write(AttemptStatus.RUNNING)

    def write(self, status: AttemptStatus, ended: bool = False, **failure: Any) -> None:
        """Write the row with what is known by now, over the one that was there."""
        run = self.run
        row = run.runtime.describe() | {
            "stage_key": run.stage.key,
            "attempt": run.attempt.number,
            "kind": run.stage.kind,
            "status": status,
            "resumed_from_epoch": run.resumed_from_epoch,
            "bitwise": run.bitwise,
            "started_at": self.started_at,
            "num_damaged": run.num_damaged,
        }
        self.num_damaged = run.num_damaged
        if ended:
            row |= {
                "ended_at": datetime.now(UTC),
                "wall_s": time.monotonic() - self.started,
                "peak_memory_mib": run.runtime.peak_memory_mib(),
                "energy_j": self._energy_j(),
            }
        name = live_name(run.stage.key, run.attempt.number)
        run.store.write_rows("attempts", name, [row | failure])

    def _energy_j(self) -> float | None:
        """The attempt's share of what the GPU has used since its start."""
        now = self.run.runtime.gpu_energy_j()
        if now is None or self.energy_before_j is None:
            return None
        return (now - self.energy_before_j) * self.run.runtime.num_gpus
