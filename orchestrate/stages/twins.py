"""Retrainings that turn out to be one: the same genotype, settings, images and seed.

Which genotype a search derives is not known when its trial is planned, so two retrain stages may
prove to be the same computation. The first of them trains; the others repeat its rows.
"""

from dataclasses import asdict
from pathlib import Path

from orchestrate.planning.identity import stage_key
from orchestrate.planning.plan import StageSpec
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import StageState, stage_state
from orchestrate.statuses import Status
from results.store.files import claim_json, parsed, write_json
from results.store.store import Store


def first_alike(stage: StageSpec, genotype_json: str, store: Store) -> StageSpec:
    """The retrain stage that trains this genotype with these settings; `stage` if none does yet."""
    first = parsed(_record(stage, genotype_json, store), StageSpec.from_dict) or stage
    # A person may have deleted it.
    return first if store.stage_dir(first.kind, first.key).exists() else stage


def claim_training(stage: StageSpec, genotype_json: str, store: Store) -> StageSpec:
    """As `first_alike`; if none does yet, `stage` is the one from now on.

    Args:
        stage: A retrain stage whose folder exists.
        genotype_json: What its parent derived, pruned, as `Genotype.to_json` writes it.
        store: Where it is put on record.
    """
    record = _record(stage, genotype_json, store)
    claimed = claim_json(record, asdict(stage))
    if not claimed and first_alike(stage, genotype_json, store) == stage:
        write_json(record, asdict(stage))  # The stage on record was deleted, or is unreadable.
    return first_alike(stage, genotype_json, store)


def wait_for(first: StageSpec, stage: StageSpec, store: Store) -> None:
    """Leave word that `stage` waits for the one it will repeat."""
    write_json(StagePaths(store.stage_dir(stage.kind, stage.key)).waits_for, asdict(first))


def state_of(stage: StageSpec, store: Store) -> StageState:
    """The state of a stage; one that waits for a running one is running too."""
    paths = StagePaths(store.stage_dir(stage.kind, stage.key))
    state = stage_state(paths.folder)
    first = parsed(paths.waits_for, StageSpec.from_dict)
    if first is None or state.status not in (Status.PENDING, Status.LOST):
        return state
    twin = stage_state(store.stage_dir(first.kind, first.key))
    return twin if twin.status == Status.RUNNING else state


def _record(stage: StageSpec, genotype_json: str, store: Store) -> Path:
    return store.training_path(stage_key(stage.kind, stage.config, genotype_json))
