"""The trial: search -> derive -> retrain -> record, resumed wherever it was left.

For every stage of its chain a trial tries, in this order: done, so skip it; its newest intact
checkpoint, so continue; else from scratch. Nothing here knows of Ray.
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
from orchestrate.errors import Diverged, Held, Superseded, WrongImages
from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.stages.genotype_rows import derived_genotype
from orchestrate.stages.images import cause
from orchestrate.stages.kinds import STAGES
from orchestrate.stages.lease import Attempt
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.runtime import Runtime
from orchestrate.stages.stage_run import StageRun, stage_rows
from orchestrate.stages.state import WRONG_IMAGES, stage_state
from orchestrate.stages.twins import first_alike, wait_for
from orchestrate.statuses import Outcome, Status
from results.errors import DamagedFile
from results.statuses import AttemptStatus
from results.store.files import parsed, write_json
from results.store.layout import live_name
from results.store.store import Store
from results.text import clean_text

MAX_MESSAGE_BYTES = 2000


def run_trial(
    trial: TrialSpec,
    store: Store,
    runtime: Runtime,
    on_epoch: Callable[[], None] = lambda: None,
) -> Outcome:
    """Bring a trial to its end, or as far as it gets.

    A failure is a row and a mark of its stage; it is not raised, for the siblings go on.

    Args:
        trial: The chain of stages.
        store: Where everything is read and written.
        runtime: Device and threads.
        on_epoch: Called after every committed epoch.
    Returns:
        `OK` if it is finished, else that of the stage it got to.
    """
    for stage in trial.stages:
        outcome = _finish_stage(stage, store, runtime, on_epoch)
        if outcome != Outcome.OK:
            return outcome
    return Outcome.OK


def _finish_stage(
    stage: StageSpec, store: Store, runtime: Runtime, on_epoch: Callable[[], None]
) -> Outcome:
    """Outcome of a stage, which is computed unless it is done; see `run_trial`."""
    state = stage_state(store.stage_dir(stage.kind, stage.key))
    if state.status == Status.DONE:
        return Outcome(state.outcome)
    if stage.kind == "retrain" and (genotype := derived_genotype(stage, store)):
        first = first_alike(stage, genotype, store)
        if first != stage and _finish_stage(first, store, runtime, on_epoch) == Outcome.HELD:
            wait_for(first, stage, store)
            return Outcome.HELD
    return run_stage(stage, store, runtime, on_epoch)


def run_stage(
    stage: StageSpec, store: Store, runtime: Runtime, on_epoch: Callable[[], None]
) -> Outcome:
    """One attempt at a stage; see `run_trial`."""
    paths = StagePaths(store.stage_dir(stage.kind, stage.key))
    if parsed(paths.spec, StageSpec.from_dict) is None:  # Not there yet, or damaged.
        write_json(paths.spec, asdict(stage))
    try:
        attempt = Attempt.take(paths.folder)
    except Held:
        return Outcome.HELD

    def committed() -> None:
        record.note_damaged()
        on_epoch()

    run = StageRun(stage, store, attempt, runtime, committed)
    record = _AttemptRecord(run)
    try:
        return _finish_attempt(run, record)
    except BaseException:  # Ctrl-C: the stage is free at once, its last epoch is kept.
        attempt.release()
        with contextlib.suppress(OSError):
            record.write(AttemptStatus.LOST, ended=True)
        raise


def _finish_attempt(run: StageRun, record: "_AttemptRecord") -> Outcome:
    """Compute a stage whose lease this process has; a failure is marked and not raised."""
    stage, attempt = run.stage, run.attempt
    try:
        attempt.remove_leftovers()
        run.store.remove_leftovers(stage.key)
        _close_lost_attempts(run)
        run.runtime.apply()
        attempt.log(f"attempt {attempt.number} at {stage.kind} {stage.key} on {run.runtime.device}")
        record.write(AttemptStatus.RUNNING)
        result = STAGES[stage.kind](run)
        record.write(AttemptStatus.OK, ended=True)
        attempt.finish(result.outcome, result.reason)
        return result.outcome
    except (Held, Superseded) as error:
        attempt.release()
        with contextlib.suppress(OSError):
            attempt.log(str(error))
            if isinstance(error, Held):  # Whoever superseded an attempt has ended its row.
                record.write(AttemptStatus.LOST, ended=True)
        return Outcome.HELD
    except Exception as error:
        _fail(run, record, cause(stage, run.store, attempt, error))
        return Outcome.FAILED


def _close_lost_attempts(run: StageRun) -> None:
    """End the rows of earlier attempts, whose processes died before they could."""
    key = run.stage.key
    with contextlib.suppress(DamagedFile):  # `store check` names it; this attempt needs none.
        for row in stage_rows(run.store, "attempts", key):
            if row["attempt"] == run.attempt.number or row["status"] != AttemptStatus.RUNNING:
                continue
            row["status"] = AttemptStatus.LOST
            last = run.attempt.stage.attempt(row["attempt"]).last_sign_of_life()
            # Stamps of a file system are coarser than a clock: an attempt may seem to end first.
            row["ended_at"] = max(last, row["started_at"])
            row["wall_s"] = (row["ended_at"] - row["started_at"]).total_seconds()
            run.store.write_rows("attempts", live_name(key, row["attempt"]), [row])


def record_crash(trial: TrialSpec, store: Store, error: Exception) -> None:
    """Mark a trial's stage as failed whose process died, again and again, before it could."""
    for stage in trial.stages:
        stage_dir = store.stage_dir(stage.kind, stage.key)
        if stage_state(stage_dir).status == Status.DONE:
            continue
        try:
            attempt = Attempt.take(stage_dir)
        except Held:
            return
        now = datetime.now(UTC)
        row = {
            "stage_key": stage.key,
            "attempt": attempt.number,
            "kind": stage.kind,
            "status": AttemptStatus.FAILED,
            "started_at": now,
            "ended_at": now,
        }
        store.write_rows(
            "attempts", live_name(stage.key, attempt.number), [row | _failure("crash", error)]
        )
        attempt.fail("crash", error)
        return


def _fail(run: StageRun, record: "_AttemptRecord", error: Exception) -> None:
    """The row first, then the mark; on a full disk, as much of that as fits."""
    kind = failure_kind(error)
    with contextlib.suppress(OSError):
        record.write(AttemptStatus.FAILED, ended=True, **_failure(kind, error))
    run.attempt.fail(kind, error)


def _failure(kind: str, error: Exception) -> dict[str, Any]:
    return {
        "failure_kind": kind,
        "error_type": type(error).__name__,
        "error_message": clean_text(str(error), MAX_MESSAGE_BYTES),
    }


def failure_kind(error: Exception) -> str:
    """The class of a failure, see the column `failure_kind`."""
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, WrongImages):
        return WRONG_IMAGES
    if isinstance(error, CheckpointError):
        return "bad_checkpoint"
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "oom"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk_full"
    return "exception"


class _AttemptRecord:
    """The row of one attempt: written at its start and again at its end."""

    def __init__(self, run: StageRun) -> None:
        self.run = run
        self.started_at = datetime.now(UTC)
        self.started = time.monotonic()
        self.num_damaged: int | None = None

    def note_damaged(self) -> None:
        """Write the row again where images were left out that it does not count yet."""
        if self.run.num_damaged != self.num_damaged:
            self.write(AttemptStatus.RUNNING)

    def write(self, status: AttemptStatus, ended: bool = False, **failure: Any) -> None:
        """Write the row as it stands."""
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
            }
        name = live_name(run.stage.key, run.attempt.number)
        run.store.write_rows("attempts", name, [row | failure])
