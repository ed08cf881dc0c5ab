"""Finds damaged and missing files of a store, and repairs what can be repaired.

A damaged file is not deleted but moved to `lost+found/`. If the store has what was in it elsewhere,
it is written again. Otherwise a stage may no longer be done: it continues from its last checkpoint,
or is computed again, when its sweep runs.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from orchestrate.errors import SweepError
from orchestrate.planning.plan import StageSpec
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import (
    Origin,
    Submission,
    stored_submission,
    trial_of_row,
    write_plan,
    write_trials,
)
from orchestrate.running.faults import DAMAGED, Fault, lost_rows, repair
from orchestrate.running.sealed_check import manifest_faults, pack_faults
from orchestrate.stages.checkpoints import verified_checkpoint
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import Done, stage_state
from orchestrate.statuses import Status
from results.errors import DamagedFile
from results.statuses import AttemptStatus
from results.store.attempt_files import Failure
from results.store.codec import decode
from results.store.files import parsed, write_json
from results.store.holder import Holder
from results.store.layout import PLAN_TABLE, ROWS_OF, live_name, plan_name
from results.store.store import Store

AGAIN = "run the file of the sweep again"


def store_faults(store: Store) -> Iterator[Fault]:
    """Find every damaged or missing file. Stages that a live process computes are not checked.

    This reads every byte of the store; most of them are in checkpoints.
    """
    yield from manifest_faults(store)
    try:
        store.manifest()
    except DamagedFile:
        return  # Without it, it is not known which stages are done.
    yield from pack_faults(store)
    yield from _of_plans(store)
    planned = _planned_stages(store)
    for folder in sorted(store.root.glob("stages/*/*/*")):
        paths = StagePaths(folder)
        if paths.deleted_attempt() and not paths.attempt_numbers():
            continue  # What a crash has left of a deleted sweep.
        if stage_state(folder).status != Status.RUNNING:
            stage = planned.get(folder.name, _Planned())
            yield from _of_spec(paths, stage.spec)
            yield from _of_attempts(paths)
            yield from _of_checkpoints(paths)
            yield from _of_rows(store, paths, tuple(stage.sweeps))
    for record in sorted(store.root.glob("trainings/*/*.json")):
        if parsed(record, StageSpec.from_dict) is None:
            yield Fault(record, DAMAGED, "it is written again when it is needed")


@dataclass(frozen=True)
class Repairs:
    """What the repair of a store has done."""

    repaired: list[Fault]
    left: list[Fault]
    """What a check finds now, and what is gone so that no check can find it."""


def repair_store(store: Store) -> Repairs:
    """Repair what can be repaired, and check the store again until nothing more can be.

    One fault may hide others, and damaged rows that are moved away are missing then.

    Raises:
        StoreError: If another process has changed what is sealed at the same time.
        OSError: If the store cannot be written.
    """
    tried: set[tuple[Path, str]] = set()  # With the remedy: a restored plan may bring a better one.
    done: dict[Path, Fault] = {}
    left = list(store_faults(store))
    while new := [one for one in left if one.is_repairable and (one.path, one.remedy) not in tried]:
        for fault in new:
            moved = fault.restore is None and fault.path.exists()
            what = f"{fault.what}, moved to lost+found" if moved else fault.what
            repair(store, fault)
            tried.add((fault.path, fault.remedy))
            done[fault.path] = replace(fault, what=what)
        left = list(store_faults(store))
    stay = {fault.path for fault in left}
    gone = [fault for fault in done.values() if fault.path not in stay]
    return Repairs(
        [fault for fault in gone if not fault.is_lost],
        [replace(fault, what=done.get(fault.path, fault).what) for fault in left]
        + [fault for fault in gone if fault.is_lost],
    )


def _of_plans(store: Store) -> Iterator[Fault]:
    for sweep in store.sweep_names():
        for number in store.submission_numbers(sweep):
            plan = store.submission_path(sweep, number)
            table = store.live_path(PLAN_TABLE, plan_name(sweep, number))
            submission = stored_submission(store, sweep, number)
            of_table = _fault_of_table(PLAN_TABLE, table)
            of_plan = DAMAGED if plan.exists() else "is missing"
            if submission is None and of_table is None:
                try:
                    known = _submission_of_rows(store, sweep, number)
                except SweepError:  # Another program wrote them, without settings.
                    yield Fault(plan, of_plan, AGAIN, is_lost=True)
                    continue
                remedy = "restored from the table trials, with [resources] as by default"
                yield Fault(plan, of_plan, remedy, partial(write_plan, store, known))
            elif submission is None:
                yield Fault(plan, of_plan, AGAIN, is_lost=True)
                yield Fault(table, of_table or DAMAGED, AGAIN, is_lost=True)
            elif of_table is not None:
                remedy = "restored from the plan of the sweep"
                yield Fault(table, of_table, remedy, partial(write_trials, store, submission))


def _of_spec(paths: StagePaths, planned: StageSpec | None) -> Iterator[Fault]:
    if parsed(paths.spec, StageSpec.from_dict) is not None:
        return
    if planned is None:
        if paths.spec.exists():  # What is missing already is missed by nobody.
            yield Fault(paths.spec, DAMAGED, "no sweep plans this stage")
    else:
        restore = partial(write_json, paths.spec, asdict(planned))
        remedy = "restored from the plan of its sweep"
        yield Fault(paths.spec, "is missing or damaged", remedy, restore)


def _of_attempts(paths: StagePaths) -> Iterator[Fault]:
    for number in paths.attempt_numbers():
        attempt = paths.attempt(number)
        if attempt.lease.exists() and parsed(attempt.lease, lambda of: Holder(**of)) is None:
            yield Fault(attempt.lease, DAMAGED, "nothing needs it: the process is gone")
        if attempt.failed.exists() and parsed(attempt.failed, lambda mark: Failure(**mark)) is None:
            yield Fault(attempt.failed, DAMAGED, "the attempt counts as lost, no more as failed")
    if paths.waits_for.exists() and parsed(paths.waits_for, StageSpec.from_dict) is None:
        yield Fault(paths.waits_for, DAMAGED, "it is written again when it is needed")
    if paths.given_up.exists() and parsed(paths.given_up, lambda mark: mark["reason"]) is None:
        yield Fault(paths.given_up, DAMAGED, "why a run gave the stage up is lost")


def _of_checkpoints(paths: StagePaths) -> Iterator[Fault]:
    for record in paths.checkpoint_records():
        try:
            verified_checkpoint(record)
        except DamagedFile as error:
            yield Fault(record, f"({error})", "the one before it serves instead, if there is one")


def _of_rows(store: Store, paths: StagePaths, sweeps: tuple[str, ...]) -> Iterator[Fault]:
    if paths.sealed() is not None:
        return  # Neither its mark nor its live rows are needed any more.
    key, kind = paths.folder.name, paths.folder.parents[1].name
    done = parsed(paths.done, Done.of)
    if paths.done.exists() and done is None:
        yield lost_rows(paths.done, DAMAGED, sweeps)
    for number in paths.attempt_numbers():
        is_needed = done is not None and done.attempt == number
        for table in ROWS_OF[kind]:
            path = store.live_path(table, live_name(key, number))
            if (is_needed or path.exists()) and (fault := _fault_of_table(table, path)):
                yield lost_rows(path, fault, sweeps)
        path = store.live_path("attempts", live_name(key, number))
        if (is_needed or path.exists()) and (fault := _fault_of_table("attempts", path)):
            if is_needed:  # Without it the tables would not know that the stage is done.
                restore = partial(_write_attempt, store, paths, number)
                yield Fault(path, fault, "restored, without what only the row said", restore)
            else:
                yield Fault(path, fault, "what it said of that attempt is lost")


def _write_attempt(store: Store, paths: StagePaths, number: int) -> None:
    """Write the row of an attempt that finished its stage again, as far as other files know it."""
    attempt, key = paths.attempt(number), paths.folder.name
    began = attempt.lease if attempt.lease.exists() else attempt.folder
    written = [datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in (began, paths.done)]
    # The log first: files that were copied may be as old as their copies.
    times = attempt.logged() or written
    row = {
        "stage_key": key,
        "attempt": number,
        "kind": paths.folder.parents[1].name,
        "status": AttemptStatus.OK,
        "started_at": times[0],
        "ended_at": times[-1],
        "wall_s": (times[-1] - times[0]).total_seconds(),
    }
    store.write_rows("attempts", live_name(key, number), [row])


def _fault_of_table(table: str, path: Path) -> str | None:
    try:
        decode(table, path, path.read_bytes())
    except FileNotFoundError:
        return "is missing"
    except DamagedFile:
        return DAMAGED
    return None


@dataclass
class _Planned:
    """What plans say of a stage."""

    spec: StageSpec | None = None
    """None: no plan has it."""
    sweeps: list[str] = field(default_factory=list)
    """Those that compute it if they are run again: their newest submission has it."""


def _planned_stages(store: Store) -> dict[str, _Planned]:
    """Every stage of every plan that can be read, by key."""
    found: dict[str, _Planned] = {}
    for sweep in store.sweep_names():
        numbers = store.submission_numbers(sweep)
        for number in numbers:
            submission = stored_submission(store, sweep, number)
            for trial in submission.trials if submission is not None else []:
                for stage in trial.stages:
                    known = found.setdefault(stage.key, _Planned(stage))
                    if number == numbers[-1] and sweep not in known.sweeps:
                        known.sweeps.append(sweep)
    return found


def _submission_of_rows(store: Store, sweep: str, number: int) -> Submission:
    rows = store.read(PLAN_TABLE, [sweep]).to_pylist()
    of_number = [row for row in rows if row["submission"] == number]
    trials = [trial_of_row(row) for row in of_number]
    planned_at = of_number[0]["planned_at"].isoformat()
    return Submission(sweep, number, trials, Resources(), planned_at, Origin())
