"""The genotype that a stage comes to, as a row of the table `genotypes`."""

from fairdarts.genotype.any_genotype import AnyGenotype
from orchestrate.planning.plan import StageSpec
from orchestrate.stages.stage_run import Row, StageResult, StageRun, stage_rows
from orchestrate.statuses import Outcome
from results.errors import DamagedFile
from results.store.store import Store


def record_genotype(
    run: StageRun, genotype: AnyGenotype, pruned: AnyGenotype, row: Row
) -> StageResult:
    """Write the genotype that a stage came to, as it was read and pruned, with counts of it.

    Returns:
        Whether a network can be built from it.
    """
    reason = pruned.invalid_reason()
    row |= {
        "stage_key": run.stage.key,
        "kind": run.stage.kind,
        "genotype_json": pruned.to_json(),
        "raw_genotype_json": genotype.to_json(),
        "valid": reason is None,
        "invalid_reason": reason,
    }
    row |= pruned.summary()
    run.write_rows("genotypes", [row])
    return StageResult() if reason is None else StageResult(Outcome.INVALID, reason)


def derived_genotype(stage: StageSpec, store: Store) -> str | None:
    """JSON of the genotype that a retrain stage trains; None if it cannot be read."""
    try:
        rows = stage_rows(store, "genotypes", stage.parent or "")
    except DamagedFile:
        return None  # The stage itself will say so, in its log and its rows.
    return rows[0]["genotype_json"] if rows else None
