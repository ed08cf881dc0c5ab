"""Refuses trials that cannot be computed or make no sense, before the first one starts.

Without these checks a retraining might refuse its settings only after a search of many hours. The
conditions are those of `fairdarts.conditions` and, for random genotypes, those of
`fairdarts.genotype.sampling`. A genotype that a person gives must build a network.
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
from orchestrate.planning.images import data_settings
from orchestrate.planning.plan import StageSpec, TrialSpec


def check_trials(trials: list[TrialSpec]) -> list[str]:
    """Check that every stage of these trials can be computed and makes sense.

    Returns:
        Warnings, each once: settings that are possible, but probably not what the user wants.
    Raises:
        FairDartsError, SweepError: With the first fault.
    """
    # One trial of each group is enough, because its trials differ only in their seeds. It is the
    # last one: of random genotypes it has the highest index, so it needs the most genotypes.
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
            check_sample(sample, sample.index + 1)  # Are there this many different genotypes?
        elif stage.kind == "given":
            genotype = genotype_from_dict(stage.config["genotype"])
            space = genotype.space
            if reason := genotype.pruned().invalid_reason():
                raise SweepError(
                    f"the genotype {trial.group_label} builds no network: {reason}. If it comes "
                    "from a search, `fairdarts derive ID --threshold 0.5` shows what a lower "
                    "threshold would give."
                )
        elif stage.kind == "search":
            space = stage.config["search"]["space"]
        if "data" in stage.config:
            setup = _setup(stage, space, look)
            refuse(setup)
            found += warnings(setup)
    return found


def _setup(stage: StageSpec, space: str, look: Callable[[DataConfig], Facts]) -> Setup:
    data = data_settings(stage.config["data"])
    search = retrain = None
    if stage.kind == "search":
        search = SearchConfig.build(stage.config["search"], "search")
    else:
        retrain = RetrainConfig.build(stage.config["retrain"], "retrain")
    return Setup(data=data, facts=look(data), search=search, retrain=retrain, space=space)
