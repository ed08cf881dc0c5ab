"""The stage `given`: records a genotype that a person gives."""

from fairdarts.genotype.any_genotype import genotype_from_dict
from orchestrate.stages.genotype_rows import record_genotype
from orchestrate.stages.stage_run import StageResult, StageRun


def run_given(run: StageRun) -> StageResult:
    """Record a genotype that a person gives: a published one, or one from a file."""
    genotype = genotype_from_dict(run.stage.config["genotype"])
    return record_genotype(run, genotype, genotype.pruned(), {})
