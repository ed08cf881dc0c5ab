"""Adds an exported sweep to a store: all of it or nothing.

What the folder has is checked and compared with the store first. Then files are written that do not
count yet (see `results.store.manifest.Deleted`), and one new manifest makes all of them count. So a
crash leaves the store as it was or with the whole sweep.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate.errors import SweepError
from orchestrate.planning.plan import StageSpec
from orchestrate.planning.submission import (
    Submission,
    next_number,
    stored_submission,
    write_plan,
    write_trials,
)
from orchestrate.running.bundle import (
    STAGES,
    Bundle,
    StageEntry,
    damaged,
    read_bundle,
    weights_name,
)
from orchestrate.running.bundle_plans import submissions_of
from orchestrate.running.bundle_rows import BundleRows, contradiction
from orchestrate.running.drivers import changing
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import stage_state
from orchestrate.statuses import Status
from results.store import deletion
from results.store.files import write_json, write_whole
from results.store.layout import ROWS_OF, check_sweep, live_name
from results.store.manifest import Manifest, Pack, SealedStage
from results.store.seal import PACK_STAGES, remove_pack, write_pack
from results.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Imported:
    """What an import has added to a store."""

    sweep: str
    num_submissions: int
    num_stages: int
    num_known: int
    """Stages that the store has kept as they were there."""


@dataclass(frozen=True)
class _New:
    """What the store does not have yet."""

    submissions: tuple[Submission, ...]
    finished: Mapping[str, StageEntry]
    unfinished: Mapping[str, StageEntry]
    after: Mapping[str, int]
    """Of each stage, the last attempt that the store has or has deleted: numbers go on after it."""


def import_sweep(store: Store, folder: Path, name: str | None = None) -> Imported:
    """Add an exported sweep to a store. To repeat it changes nothing.

    Args:
        store: Where to.
        folder: What `export_sweep` has written, from anywhere: nothing in it is trusted.
        name: Name of the sweep in the store; None: as it was.
    Raises:
        SweepError: If the folder cannot be used, or contradicts the store; nothing is changed then.
        StoreError: If the name is not allowed, or other processes change the store all the time.
        DamagedFile: If a file of the store is damaged.
        OSError: If the store cannot be written; it then has all of the sweep or nothing of it.
    """
    bundle = read_bundle(folder, store.root)
    sweep = check_sweep(name or bundle.index.sweep)
    submissions, specs = submissions_of(bundle, sweep)
    entries = _entries(bundle, specs)
    rows = BundleRows(bundle)
    with changing(store, f"sweep import {sweep}"):
        new_submissions = _new_submissions(store, sweep, submissions)
        new = _new_stages(store, folder, entries, new_submissions)
        for keys in _parts(entries):
            rows.check({key: entries[key] for key in keys})
        added = new.finished.keys() | new.unfinished.keys()
        known = [key for key, entry in entries.items() if entry.done and key not in added]
        for keys in _parts(known):
            contradiction(store, rows, {key: entries[key] for key in keys})
        if new_submissions or added:
            _write(store, rows, new, specs)
    return Imported(sweep, len(new_submissions), len(added), len(entries) - len(added))


def _entries(bundle: Bundle, specs: Mapping[str, StageSpec]) -> dict[str, StageEntry]:
    entries: dict[str, StageEntry] = {}
    for entry in bundle.stages:
        spec = specs.get(entry.key)
        if spec is None or spec.kind != entry.kind or entry.key in entries:
            raise damaged(bundle, STAGES, f"no plan has stage {entry.key[:16]!r} as it is there")
        if entry.weights is not None and weights_name(entry.key) not in bundle.index.files:
            raise damaged(bundle, STAGES, f"the weights of stage {entry.key} are not there")
        entries[entry.key] = entry
    return entries


def _new_submissions(
    store: Store, sweep: str, submissions: tuple[Submission, ...]
) -> tuple[Submission, ...]:
    """Those that the store does not have, with the numbers that they get."""
    there = [stored_submission(store, sweep, one) for one in store.submission_numbers(sweep)]
    for mine, other in zip(there, submissions, strict=False):
        if mine is None or (mine.trials, mine.planned_at) != (other.trials, other.planned_at):
            raise SweepError(
                f"{store.root} has another sweep {sweep!r}: import this one under another name "
                "with --as NAME."
            )
    number = next_number(store, sweep)
    new = submissions[len(there) :]
    return tuple(replace(one, number=number + place) for place, one in enumerate(new))


def _new_stages(
    store: Store,
    folder: Path,
    entries: Mapping[str, StageEntry],
    submissions: tuple[Submission, ...],
) -> _New:
    """The stages that are finished there and not here, or have attempts there and none here."""
    finished, unfinished, after = {}, {}, {}
    live, sealed = store.live_attempts(), store.manifest().stages
    for key, entry in entries.items():
        paths = StagePaths(store.stage_dir(entry.kind, key))
        state = stage_state(paths.folder)
        if state.status == Status.RUNNING:
            raise SweepError(
                f"{state.holder} computes stage {key}, which {folder} has too: import it when that "
                "has ended."
            )
        if state.status == Status.DONE or key in sealed:
            continue
        attempts = [*paths.attempt_numbers(), *live.get(key, [])]
        after[key] = max([paths.deleted_attempt(), *attempts])
        if entry.done:
            finished[key] = entry
        elif not attempts:
            unfinished[key] = entry
    return _New(submissions, finished, unfinished, after)


def _write(store: Store, rows: BundleRows, new: _New, specs: Mapping[str, StageSpec]) -> None:
    deleted = store.manifest().deleted
    hidden = {
        key: SealedStage(entry.kind, new.after[key] + entry.attempt)
        for key, entry in new.unfinished.items()
    }
    sweeps = {one.sweep: tuple(each.number for each in new.submissions) for one in new.submissions}
    if hidden or sweeps:
        deletion.delete(store, hidden, sweeps)
    _write_unfinished(store, rows, new, specs)
    for key, entry in new.finished.items():
        _write_weights(store, rows.bundle, entry, new.after[key], specs[key])
    for submission in new.submissions:
        write_plan(store, submission)
        write_trials(store, submission)
    deletion.add(
        store,
        lambda before: _packs(store, rows, new, before),
        {key: deleted.stages.get(key) for key in hidden},
        sweeps,
    )


def _packs(store: Store, rows: BundleRows, new: _New, before: Manifest) -> list[Pack]:
    packs: list[Pack] = []
    try:
        for keys in _parts(new.finished):
            stages, tables = _pack_rows(store, rows, new, keys)
            packs.append(write_pack(store, before.number + 1, stages, tables))
    except BaseException:
        for pack in packs:
            remove_pack(store, pack)
        raise
    return packs


def _pack_rows(
    store: Store, rows: BundleRows, new: _New, keys: list[str]
) -> "tuple[dict[str, SealedStage], dict[str, list[pa.Table]]]":
    entries = {key: new.finished[key] for key in keys}
    stages = {
        key: SealedStage(entry.kind, new.after[key] + entry.attempt, entry.invalid)
        for key, entry in entries.items()
    }
    tables = {"attempts": [rows.read("attempts", keys, new.after)]}
    # Attempts that the store has made in vain stay on record: their time was spent.
    tables["attempts"].append(store.read("attempts", keys))
    for table in sorted({table for entry in entries.values() for table in ROWS_OF[entry.kind]}):
        own = [key for key, entry in entries.items() if table in ROWS_OF[entry.kind]]
        tables[table] = [rows.read(table, own, new.after)]
    return stages, tables


def _write_unfinished(
    store: Store, rows: BundleRows, new: _New, specs: Mapping[str, StageSpec]
) -> None:
    entries = new.unfinished
    attempts = rows.read("attempts", entries.keys(), new.after).to_pylist()
    epochs = rows.read("epochs", entries.keys(), new.after).to_pylist()
    for key, entry in entries.items():
        paths, last = StagePaths(store.stage_dir(entry.kind, key)), new.after[key] + entry.attempt
        write_json(paths.spec, asdict(specs[key]))
        for row in (row for row in attempts if row["stage_key"] == key):
            store.write_rows("attempts", live_name(key, row["attempt"]), [row])
        if own := [row for row in epochs if row["stage_key"] == key]:
            store.write_rows("epochs", live_name(key, last), own)
        for number in range(new.after[key] + 1, last + 1):
            write_whole(paths.attempt(number).released, b"")
        for failure in entry.failures:
            number = new.after[key] + failure["attempt"]
            write_json(paths.attempt(number).failed, failure | {"attempt": number})


def _write_weights(
    store: Store, bundle: Bundle, entry: StageEntry, after: int, spec: StageSpec
) -> None:
    if entry.weights is None:
        return
    name = weights_name(entry.key)
    paths = StagePaths(store.stage_dir(entry.kind, entry.key))
    write_json(paths.spec, asdict(spec))
    checkpoint = paths.checkpoint(after + entry.attempt, entry.weights.epoch)
    with bundle.opened(name) as file:
        write_whole(checkpoint, file.read())
    record = entry.weights.model_dump() | {"sha256": bundle.index.files[name].sha256}
    write_json(checkpoint.with_suffix(".json"), record)


def _parts(keys: Iterable[str]) -> Iterator[list[str]]:
    """The keys in parts of one pack each."""
    ordered = sorted(keys)
    for start in range(0, len(ordered), PACK_STAGES):
        yield ordered[start : start + PACK_STAGES]
