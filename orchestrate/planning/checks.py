"""What the stages of a trial would refuse, or what would mean nothing: refused before they start.

The conditions are those of `fairdarts.conditions`, and of `fairdarts.genotype.sampling` for random
genotypes; a genotype that a person gives must build a network.
"""

import functools
from collections.abc import Callable

from fairdarts.conditions import Setup, refuse, warnings
from fairdarts.config import DataConfig, RetrainConfig, SampleConfig, SearchConfig
from fairdarts.data.facts import Facts, facts
from fairdarts.errors import FairDartsError
from fairdarts.genotype.any_genotype import genotype_from_dict
from fairdarts.genotype.sampling import check_sample
from orchestrate.errors import SweepError
from orchestrate.planning.plan import StageSpec, TrialSpec


def check_trials(trials: list[TrialSpec]) -> list[str]:
    """See to it that every stage of some trials can be computed and means something.

    Returns:
        Sentences about what is possible and yet hardly meant, each once.
    Raises:
        FairDartsError, SweepError: With the first fault.
    """
    # Trials that differ in their seeds alone are alike; the last random one asks for the most.
    by_group = {trial.group_id: trial for trial in trials}
    look = functools.cache(facts)
    found: dict[str, None] = {}
    for trial in by_group.values():
        try:
            found |= dict.fromkeys(_check(trial, look))
        except FairDartsError as error:
            if len(by_group) == 1:
                raise
            raise SweepError(f"trial {trial.label!r}: {error}") from None
    return list(found)


def _check(trial: TrialSpec, look: Callable[[DataConfig], Facts]) -> list[str]:
    space = "s1"
    found = []
    for stage in trial.stages:
        if stage.kind == "sample":
            sample = SampleConfig.build(stage.config, "random")
            check_sample(sample, sample.index + 1)
        elif stage.kind == "given":
            genotype = genotype_from_dict(stage.config["genotype"])
            space = genotype.space
            if reason := genotype.pruned().invalid_reason():
                raise SweepError(
                    f"the genotype {trial.group_label} builds no network: {reason}. Of a search, "
                    "`fairdarts derive ID --threshold 0.5` shows what a lower threshold would give."
                )
        elif stage.kind == "search":
            space = stage.config["search"]["space"]
        if "data" in stage.config:
            setup = _setup(stage, space, look)
            refuse(setup)
            found += warnings(setup)
    return found


def _setup(stage: StageSpec, space: str, look: Callable[[DataConfig], Facts]) -> Setup:
    given = {name: value for name, value in stage.config["data"].items() if name != "fingerprints"}
    data = DataConfig.build(given, "data")
    search = retrain = None
    if stage.kind == "search":
        search = SearchConfig.build(stage.config["search"], "search")
    else:
        retrain = RetrainConfig.build(stage.config["retrain"], "retrain")
    return Setup(data=data, facts=look(data), search=search, retrain=retrain, space=space)
