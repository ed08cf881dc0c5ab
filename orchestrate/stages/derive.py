"""The stage `derive`: from the gates of a search to a genotype."""

from fairdarts.config import DeriveConfig
from fairdarts.genotype.any_genotype import derive_epochs, epochs_that_count
from fairdarts.spaces import get_space
from orchestrate.stages.genotype_rows import record_genotype
from orchestrate.stages.stage_run import StageResult, StageRun


def run_derive(run: StageRun) -> StageResult:
    """Derive the genotype of the last epoch, or of the epoch that a stopping rule chose.

    The row also records for how many final epochs the genotype stayed unchanged.
    """
    # The configuration of the stage also names the space, which is not a setting of the rule.
    config = DeriveConfig.build(
        {name: value for name, value in run.stage.config.items() if name != "space"}, "derive"
    )
    space = get_space(run.stage.config["space"])
    epochs = epochs_that_count(run.parent_rows("epochs"))
    last, stable = derive_epochs([row["gates"] for row in epochs], config, space)
    row = {
        "search_key": run.stage.parent,
        "rule": config.rule,
        "op_threshold": config.threshold,
        "stable_epochs": stable,
        "epoch": epochs[-1]["epoch"],
    }
    row |= {f"margin_{part}": margin for part, margin in last.margins.items()}
    return record_genotype(run, last.genotype, last.pruned, row)
