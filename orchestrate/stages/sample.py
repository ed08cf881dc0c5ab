"""The stage `sample`: a random genotype."""

from fairdarts.config import SampleConfig
from fairdarts.genotype.sampling import sample
from orchestrate.stages.genotype_rows import record_genotype
from orchestrate.stages.stage_run import StageResult, StageRun


def run_sample(run: StageRun) -> StageResult:
    """A random genotype."""
    genotype = sample(SampleConfig.build(run.stage.config, "random"))
    return record_genotype(run, genotype, genotype.pruned(), {})
