"""Finds the trial or stage that an id stands for in a store."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from fairdarts.config import SampleConfig
from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.planning.settings import SECTIONS
from orchestrate.planning.submission import trial_of_row
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.twins import state_of
from orchestrate.statuses import Outcome, Status
from results.errors import StoreError
from results.query.ids import ID_COLUMNS
from results.store.files import read_json
from results.store.layout import STAGE_KINDS
from results.store.store import Store

RESULT_COLUMNS = {
    "genotypes": ["genotype_json"],
    "retrains": ["test_top1_pct", "params", "multadds"],
}


@dataclass(frozen=True)
class PlannedTrial:
    """A trial, and the names of the sweeps that planned it."""

    trial: TrialSpec
    sweeps: list[str]


def planned_trials(store: Store, id_: str) -> dict[str, PlannedTrial]:
    """The trials that were submitted to a store and have something to do with an id.

    Args:
        store: Where to look.
        id_: Whole id of a trial, of a group of trials, or of a stage that they need.
    Returns:
        By the id of the trial.
    """
    import pyarrow.compute as pc

    found: dict[str, PlannedTrial] = {}
    rows = store.read("trials")
    columns = [pc.fill_null(pc.equal(rows[name], id_), False) for name in ID_COLUMNS]
    # Only these are parsed: a store may have tens of thousands.
    for row in rows.filter(reduce(pc.or_, columns)).sort_by("submission").to_pylist():
        known = found.get(row["trial_id"])
        if known is None:
            found[row["trial_id"]] = PlannedTrial(trial_of_row(row), [row["sweep"]])
        elif row["sweep"] not in known.sweeps:
            known.sweeps.append(row["sweep"])
    return found


def stored_stage(store: Store, key: str) -> StageSpec:
    """The stage with that key, as its SPEC.json describes it.

    Raises:
        StoreError: If the store has no such file.
    """
    for kind in STAGE_KINDS:
        spec = StagePaths(store.stage_dir(kind, key)).spec
        if spec.exists():
            return StageSpec.from_dict(read_json(spec))
    raise StoreError(f"{store.root} has a folder of stage {key}, but no SPEC.json in it.")


def stage_status(store: Store, stage: StageSpec) -> Status:
    """The status of one stage; invalid if it has derived a genotype that builds no network."""
    state = state_of(stage, store)
    return Status.INVALID if state.outcome == Outcome.INVALID else state.status


def stage_results(store: Store, stage: StageSpec) -> dict[str, Any]:
    """What a stage has come to so far: some columns of its rows, and of a search `epochs_done`."""
    results: dict[str, Any] = {}
    for table, columns in RESULT_COLUMNS.items():
        for row in store.read(table, [stage.key], columns).to_pylist():
            results |= row
    if stage.kind == "search":
        rows = store.read("epochs", [stage.key], ["epoch", "arch_top1_pct"]).sort_by("epoch")
        for row in rows.to_pylist()[-1:]:
            results |= {"epochs_done": row["epoch"] + 1, "arch_top1_pct": row["arch_top1_pct"]}
    return results


def changed_settings(stage: StageSpec) -> dict[str, Any]:
    """Settings of a stage that differ from their defaults, by full name."""
    groups = {section: config.model_fields for section, config in SECTIONS.items()}
    groups |= {"random": SampleConfig.model_fields}
    nested = {name: part for name, part in stage.config.items() if name in groups}
    # Stages of these kinds have a single section, and its fields stand in `config` directly.
    flat = {"derive": "derive", "sample": "random"}.get(stage.kind)
    if flat:
        nested = {flat: stage.config}
    return {
        f"{section}.{name}": value
        for section, settings in nested.items()
        for name, value in settings.items()
        if name in groups[section] and value != groups[section][name].default
    }
