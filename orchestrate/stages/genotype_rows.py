"""The genotype that a stage derives, draws or is given, as a row of the table `genotypes`."""

from fairdarts.genotype.any_genotype import AnyGenotype
from orchestrate.planning.plan import StageSpec
from orchestrate.stages.stage_run import Row, StageResult, StageRun, stage_rows
from orchestrate.statuses import Outcome
from results.errors import DamagedFile
from results.store.store import Store


def record_genotype(
    run: StageRun, genotype: AnyGenotype, pruned: AnyGenotype, row: Row
) -> StageResult:
    """Write the row of a genotype.

    Args:
        run: The attempt that computes the stage.
        genotype: The genotype before nodes and layers without input are removed.
        pruned: The same after that; networks are built from this one.
        row: Further columns, of this kind of stage.
    Returns:
        `OK`, or `INVALID` if no network can be built from it.
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
    """JSON of the genotype that a retrain stage trains; None if there is none or it is damaged."""
    try:
        rows = stage_rows(store, "genotypes", stage.parent or "")
    except DamagedFile:
        return None  # The stage reads it again, and records the failure.
    return rows[0]["genotype_json"] if rows else None
