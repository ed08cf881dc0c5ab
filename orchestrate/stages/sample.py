"""The stage `sample`: draws a random genotype."""

from fairdarts.config import SampleConfig
from fairdarts.genotype.sampling import sample
from orchestrate.stages.genotype_rows import record_genotype
from orchestrate.stages.stage_run import StageResult, StageRun


def run_sample(run: StageRun) -> StageResult:
    """Draw a random genotype, and record it."""
    genotype = sample(SampleConfig.build(run.stage.config, "random"))
    return record_genotype(run, genotype, genotype.pruned(), {})
