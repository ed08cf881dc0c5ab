"""Deletes a sweep, and the stages that no other sweep needs.

What goes is written into the next manifest, see `results.store.deletion`: that one file decides, so
a crash leaves the store as it was or without the sweep. Then the files are removed. What a crash
leaves of them does not count, and the next `sweep delete` or `results compact` removes it.
"""

import contextlib
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrate.errors import SweepError
from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.planning.submission import stored_submission, trial_of_row
from orchestrate.running.drivers import live_drivers
from orchestrate.stages.paths import StagePaths, attempt_of
from orchestrate.stages.state import done_of, stage_state
from orchestrate.statuses import Status
from results.store import deletion
from results.store.files import parsed, size_of
from results.store.layout import PLAN_TABLE, plan_name
from results.store.manifest import SealedStage
from results.store.store import Store

KEYS = ("search_key", "sample_key", "derive_key", "retrain_key")
"""Columns of the table `trials`."""


@dataclass(frozen=True)
class Doomed:
    """What the deletion of a sweep would delete."""

    store: Store
    sweep: str
    submissions: tuple[int, ...]
    trials: Mapping[str, TrialSpec]
    """By id."""
    stages: tuple[StageSpec, ...]
    """Stages that no other sweep needs and of which there is something."""
    kept: Mapping[str, frozenset[str]]
    """Stages that stay: for each the sweeps that need it."""
    num_bytes: int
    """Size of the files that are its own, without packs, which have rows of others too."""


def doomed(store: Store, sweep: str) -> Doomed:
    """Say what there is to delete of a sweep.

    Raises:
        SweepError: If there is no such sweep, or a process computes it or one of its stages.
        DamagedFile: If it cannot be told which stages other sweeps need.
    """
    if sweep not in store.sweep_names():
        known = ", ".join(store.sweep_names()) or "none"
        raise SweepError(f"{store.root} has no sweep {sweep!r} (there: {known}): name one of them.")
    for driver in live_drivers(store, sweep):
        raise SweepError(
            f"{sweep!r} is being run ({driver.holder}): end that with `fairdarts sweep stop "
            f"{sweep}`, and delete it when it has ended."
        )
    trials = {trial.trial_id: trial for trial in _trials_of(store, sweep)}
    stages = {stage.key: stage for trial in trials.values() for stage in trial.stages}
    kept = _needed(store, sweep, trials)
    mine = [stage for key, stage in stages.items() if key not in kept]
    live = store.live_attempts()
    found = []
    for stage in mine:
        folder = store.stage_dir(stage.kind, stage.key)
        state = stage_state(folder)
        if state.status == Status.RUNNING:
            raise SweepError(
                f"{state.holder} computes stage {stage.key} of {sweep!r}: stop that process, and "
                "delete the sweep when it has ended."
            )
        if folder.exists() or state.attempt or stage.key in live:
            found.append(stage)
    of_mine = {key: names for key, names in kept.items() if key in stages}
    rows = store.read(PLAN_TABLE, [sweep], ["submission"])["submission"].to_pylist()
    numbers = sorted({*store.submission_numbers(sweep), *rows})
    num_bytes = _size(store, found)
    return Doomed(store, sweep, tuple(numbers), trials, tuple(found), of_mine, num_bytes)


def delete(of: Doomed) -> None:
    """Delete a sweep.

    Raises:
        StoreError: If nothing could be deleted, because others change the store all the time.
        OSError: If nothing could be deleted, or not all files could be removed.
    """
    store, live = of.store, of.store.live_attempts()
    sealed = store.manifest().stages
    stages = {}
    for stage in of.stages:
        paths = StagePaths(store.stage_dir(stage.kind, stage.key))
        own = sealed.get(stage.key)
        numbers = [paths.deleted_attempt(), *paths.attempt_numbers(), *live.get(stage.key, [])]
        numbers += [attempt_of(path) for path in paths.checkpoint_records()]
        last = max([*numbers, own.attempt if own is not None else 0])
        stages[stage.key] = SealedStage(stage.kind, last)
    deletion.delete(store, stages, {of.sweep: of.submissions})
    remove_deleted(store)


def remove_deleted(store: Store) -> None:
    """Remove the files of what is deleted.

    No process may compute a deleted stage meanwhile: see `drivers.changing`.
    """
    deletion.remove_files(store)
    deleted = store.manifest().deleted
    for sweep, numbers in deleted.sweeps.items():
        folder = store.sweep_dir(sweep)
        for path in folder.glob("*.json"):
            if path.stem.isdecimal() and int(path.stem) in numbers:
                path.unlink(missing_ok=True)
        _remove_empty(folder)
    for key, stage in deleted.stages.items():
        folder = store.stage_dir(stage.kind, key)
        if folder.exists():
            _remove_attempts(StagePaths(folder), stage.attempt)
    for record in store.root.glob("trainings/*/*.json"):
        first = parsed(record, StageSpec.from_dict)
        if first is None or first.key not in deleted.stages:
            continue
        if not store.stage_dir(first.kind, first.key).exists():  # Else it is computed again.
            record.unlink(missing_ok=True)


def _size(store: Store, stages: Collection[StageSpec]) -> int:
    folders = [store.stage_dir(stage.kind, stage.key) for stage in stages]
    files = [path for folder in folders for path in folder.rglob("*")]
    keys = {stage.key for stage in stages}
    live = store.root.glob("live/*/*.parquet")
    files += [path for path in live if path.name.partition(".")[0] in keys]
    return size_of(files)


def _remove_attempts(paths: StagePaths, last: int) -> None:
    """Remove what attempts up to a number have left, and the folder if there is no later one."""
    done = done_of(paths)
    if done is None and not paths.attempt_numbers() and not paths.checkpoint_records():
        shutil.rmtree(paths.folder)
        _remove_empty(paths.folder.parent)
        return
    for path in paths.checkpoints.glob("a*"):
        if 0 < attempt_of(path) <= last:
            path.unlink(missing_ok=True)
    for number in range(1, last + 1):
        shutil.rmtree(paths.attempt(number).folder, ignore_errors=True)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # It is not there, or not empty.
        folder.rmdir()


def _trials_of(store: Store, sweep: str) -> Iterator[TrialSpec]:
    """The trials of all submissions of a sweep, by its plans and by the table `trials`."""
    numbers = store.submission_numbers(sweep)
    for number in numbers:
        submission = stored_submission(store, sweep, number)
        if submission is not None:
            yield from submission.trials
        elif not store.live_path(PLAN_TABLE, plan_name(sweep, number)).exists():
            raise SweepError(
                f"{store.submission_path(sweep, number)} is damaged, so it is not known what it "
                f"needs: delete that file, or restore it from a copy."
            )
    yield from map(trial_of_row, store.read(PLAN_TABLE, [sweep]).to_pylist())


def _needed(store: Store, sweep: str, trials: Mapping[str, TrialSpec]) -> dict[str, frozenset[str]]:
    """The stages that other sweeps need, each with the names of these sweeps."""
    needed: dict[str, set[str]] = {}
    for name in store.sweep_names():
        if name != sweep:
            for trial in _trials_of(store, name):
                for stage in trial.stages:
                    needed.setdefault(stage.key, set()).add(name)
    # A retraining may be a copy of one of this sweep, whose weights and time it stands for.
    rows = store.read("retrains", needed.keys(), ["stage_key", "trained_as"]).to_pylist()
    copied = {row["trained_as"]: needed[row["stage_key"]] for row in rows if row["trained_as"]}
    for trial in trials.values():
        for names in (copied[stage.key] for stage in trial.stages if stage.key in copied):
            for stage in trial.stages:
                needed.setdefault(stage.key, set()).update(names)
    return {key: frozenset(names) for key, names in needed.items()}
