"""Twins: retrain stages with different keys that turn out to be the same computation.

A plan cannot know which genotype a search will derive. If two searches derive the same one, and
settings, images and seed of the retraining are the same too, the two retrain stages compute the
same. The first one to start trains, and is put on record; the others copy its rows.
"""

from dataclasses import asdict
from pathlib import Path

from orchestrate.planning.identity import stage_key
from orchestrate.planning.plan import StageSpec
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import StageState, sealed_state, stage_state
from orchestrate.statuses import Status
from results.store.files import claim_json, parsed, write_json
from results.store.manifest import Manifest
from results.store.store import Store


def first_alike(stage: StageSpec, genotype_json: str, store: Store) -> StageSpec:
    """The stage on record that trains this genotype with these settings; else `stage` itself."""
    first = parsed(_record(stage, genotype_json, store), StageSpec.from_dict) or stage
    if first.key == stage.key:
        return (
            stage  # Not `first`: an older version, which knew fewer settings, may have written it.
        )
    # A person may have deleted the folder of the stage on record.
    return first if store.stage_dir(first.kind, first.key).exists() else stage


def claim_training(stage: StageSpec, genotype_json: str, store: Store) -> StageSpec:
    """Like `first_alike`, but if there is no stage on record, put `stage` on record.

    Args:
        stage: A retrain stage whose folder exists.
        genotype_json: What its parent derived, pruned, as `Genotype.to_json` writes it.
        store: Where the record is.
    """
    record = _record(stage, genotype_json, store)
    claimed = claim_json(record, asdict(stage))
    if not claimed and first_alike(stage, genotype_json, store) == stage:
        write_json(record, asdict(stage))  # The stage on record was deleted, or is unreadable.
    # Read again, because two processes may have written it a moment ago: one record decides.
    return first_alike(stage, genotype_json, store)


def wait_for(first: StageSpec, stage: StageSpec, store: Store) -> None:
    """Write into the folder of `stage` that it waits for `first`, whose rows it will copy."""
    write_json(StagePaths(store.stage_dir(stage.kind, stage.key)).waits_for, asdict(first))


def state_of(stage: StageSpec, store: Store, manifest: Manifest | None = None) -> StageState:
    """The state of a stage. If it waits for a running twin, it has the twin's state.

    Args:
        stage: Which one.
        store: Where it is.
        manifest: What is sealed, if the caller asks about many stages; None: read it.
    """
    if manifest is not None and (sealed := manifest.stages.get(stage.key)) is not None:
        return sealed_state(store.stage_name(stage.kind, stage.key), sealed)
    paths = StagePaths(store.stage_dir(stage.kind, stage.key))
    state = stage_state(paths.folder)
    if state.status == Status.DONE:
        return state
    first = parsed(paths.waits_for, StageSpec.from_dict)
    if first is None or state.status not in (Status.PENDING, Status.LOST):
        return state
    twin = stage_state(store.stage_dir(first.kind, first.key))
    return twin if twin.status == Status.RUNNING else state


def training_key(stage: StageSpec, genotype_json: str) -> str:
    """What all retrain stages share that train this genotype with these settings."""
    return stage_key(stage.kind, stage.config, genotype_json)


def _record(stage: StageSpec, genotype_json: str, store: Store) -> Path:
    return store.training_path(training_key(stage, genotype_json))
