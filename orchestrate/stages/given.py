"""The stage `given`: a genotype that a person named."""

from fairdarts.genotype.any_genotype import genotype_from_dict
from orchestrate.stages.genotype_rows import record_genotype
from orchestrate.stages.stage_run import StageResult, StageRun


def run_given(run: StageRun) -> StageResult:
    """A genotype that a person named."""
    genotype = genotype_from_dict(run.stage.config["genotype"])
    return record_genotype(run, genotype, genotype.pruned(), {})
