"""Turns a sweep into its list of trials. It starts nothing, and needs neither Ray nor torch.

A trial is a chain of stages, and each stage has a key (see `identity`). Trials whose first stages
have the same key share them.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fairdarts.config import DataConfig, SampleConfig
from fairdarts.data.files import Split
from fairdarts.data.fingerprint import fingerprint
from fairdarts.errors import ConfigError, FairDartsError
from fairdarts.spaces import S1
from orchestrate.errors import SweepError
from orchestrate.planning.identity import group_id, stage_key
from orchestrate.planning.settings import (
    Sections,
    Settings,
    chosen,
    data_label,
    recipe_label,
    recipe_of,
    resolve,
    resolve_sample,
    space_of,
)
from orchestrate.planning.sweep_file import RandomBaseline, Sweep

Identify = Callable[[DataConfig, Split], str]
"""Computes the fingerprint of one split of a data set, see `fairdarts.data.fingerprint`."""
MAX_TRIALS = 100_000
"""Most trials of one plan. Planning this many takes minutes, and makes a file of 300 MB."""


@dataclass(frozen=True)
class StageSpec:
    """One stage: what it computes."""

    kind: str
    """search, derive, sample, given or retrain."""
    key: str
    """Its name, see `identity.stage_key`."""
    config: dict[str, Any]
    """Its settings, with the fingerprints of its images."""
    parent: str | None
    """Key of the stage before it, whose rows it reads."""

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "StageSpec":
        """The inverse of `dataclasses.asdict`."""
        return cls(**value)


@dataclass(frozen=True)
class TrialSpec:
    """A chain of stages: search -> derive -> retrain, sample -> retrain, or given -> retrain."""

    label: str
    """Its name for people: the method, and the settings that differ from other trials."""
    group_label: str
    """The same without seeds: a row of a table."""
    group_id: str
    """See `identity.group_id`."""
    method: str
    """Search method, or `random` or `given`."""
    dataset: str
    recipe: str
    stages: tuple[StageSpec, ...]

    @property
    def trial_id(self) -> str:
        """Key of the last stage, which depends on the settings of all stages."""
        return self.stages[-1].key

    def stage(self, *kinds: str) -> StageSpec | None:
        """The trial's first stage of one of these kinds; None if it has no such stage."""
        return next((stage for stage in self.stages if stage.kind in kinds), None)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "TrialSpec":
        """The inverse of `dataclasses.asdict`."""
        stages = tuple(map(StageSpec.from_dict, value["stages"]))
        return cls(**(value | {"stages": stages}))


def plan(sweep: Sweep, identify: Identify = fingerprint) -> list[TrialSpec]:
    """Every trial of a sweep, in the order of the file. All settings are checked.

    Args:
        sweep: What to plan.
        identify: Computes the fingerprint of images.
    Raises:
        SweepError, ConfigError: If a combination cannot be used, or there are too many trials.
        DataError: If a data set is missing.
    """
    num_trials(sweep)  # Raises if there are too many.
    identify = functools.cache(identify)  # A thousand trials share their images.
    trials: list[TrialSpec] = []
    seen: dict[str, str] = {}
    try:
        for trial in itertools.chain(
            _searches(sweep, identify), _random_baselines(sweep, identify)
        ):
            trials.append(trial)
            twin = seen.setdefault(trial.trial_id, trial.label)
            if twin is not trial.label:
                raise SweepError(
                    f"the trials {twin!r} and {trial.label!r} are the same computation: they "
                    "differ only in settings of [matrix] or [[random]] that they do not use."
                )
    except (FairDartsError, SweepError) as error:
        setting = error.setting if isinstance(error, ConfigError) else None
        place = sweep.place(setting)
        raise type(error)(f"{place}: {error}" if place else str(error)) from None
    return trials


def num_trials(sweep: Sweep) -> int:
    """How many trials a sweep has.

    Raises:
        SweepError: If it has more trials than one plan may have.
    """
    searches = math.prod(map(len, sweep.matrix.values())) if sweep.matrix else 0
    trainings = math.prod(map(len, _training_axes(sweep).values()))
    total = searches + trainings * sum(group.models for group in sweep.random)
    if total > MAX_TRIALS:
        axes = [f"{axis} has {len(values):,}" for axis, values in sweep.matrix.items()]
        models = [f"a [[random]] group {group.models:,}" for group in sweep.random]
        raise SweepError(
            f"{sweep.path or sweep.name} has {total:,} trials ({', '.join(axes + models)}), but a "
            f"plan may have {MAX_TRIALS:,} at most: use fewer values, or several sweeps."
        )
    return total


def _training_axes(sweep: Sweep) -> dict[str, list[Any]]:
    """The axes of [matrix] that also apply to random genotypes: they are trained, not searched."""
    return {a: v for a, v in sweep.matrix.items() if a.startswith(("retrain.", "data."))}


def _searches(sweep: Sweep, identify: Identify) -> Iterator[TrialSpec]:
    if not sweep.matrix:
        return
    for values in itertools.product(*sweep.matrix.values()):
        point = dict(zip(sweep.matrix, values, strict=True))
        # Later layers win. A method's own settings come after those of all trials, but which method
        # it is must be known first, because [matrix] and --set can choose it.
        layers = [sweep.settings, point, sweep.overrides]
        method = chosen("method", layers, "fairdarts")
        layers.insert(1, sweep.methods.get(method, {}))
        scale = sweep.scale.layer(method, space_of(layers), recipe_of(layers))
        sections = resolve(method, [scale, *layers])
        shown = {axis: value for axis, value in point.items() if axis != "method"}
        yield search_trial(method, sections, shown, identify)


def _random_baselines(sweep: Sweep, identify: Identify) -> Iterator[TrialSpec]:
    axes = _training_axes(sweep)
    for group in sweep.random:
        for values in itertools.product(*axes.values()):
            point = dict(zip(axes, values, strict=True))
            for index in range(group.models):
                # Every random genotype is trained with a seed of its own, if the sweep sets none.
                layers = [{"seed": index}, sweep.settings, point, sweep.overrides]
                scale = sweep.scale.layer("fairdarts", S1.name, recipe_of(layers))
                sections = resolve(
                    "fairdarts", [scale, *(_without_method(layer) for layer in layers)]
                )
                sample = resolve_sample(group.model_dump(exclude={"models"}) | {"index": index})
                yield _sample_trial(group, sample, sections, point, identify)


def _without_method(settings: Settings) -> Settings:
    return {name: value for name, value in settings.items() if name != "method"}


def search_trial(
    method: str,
    sections: Sections,
    shown: Settings,
    identify: Identify = fingerprint,
) -> TrialSpec:
    """A trial that searches, derives and retrains.

    Args:
        method: Name of the search method.
        sections: Its settings, see `orchestrate.planning.settings.resolve`.
        shown: Settings for its label, by full name: those in which it differs from other trials.
        identify: Computes the fingerprint of images.
    """
    search, derive = _search_stages(sections, identify)
    retrain = _retrain_stage(derive, sections, identify)
    return _trial(method, method, shown, sections, (search, derive, retrain))


def search_only_trial(
    method: str, sections: Sections, shown: Settings, identify: Identify = fingerprint
) -> TrialSpec:
    """A trial that searches and derives, but does not retrain; see `search_trial`."""
    return _trial(method, method, shown, sections, _search_stages(sections, identify))


def given_trial(
    name: str,
    genotype: dict[str, Any],
    sections: Sections,
    identify: Identify = fingerprint,
) -> TrialSpec:
    """A trial that retrains a genotype that a person gives: a published one or one from a file."""
    config = {"genotype": genotype}
    given = StageSpec("given", stage_key("given", config, None), config, None)
    stages = (given, _retrain_stage(given, sections, identify))
    shown = {"seed": sections.retrain.seed}
    return _trial("given", name, shown, sections, stages)


def _sample_trial(
    group: RandomBaseline,
    sample: SampleConfig,
    sections: Sections,
    shown: Settings,
    identify: Identify,
) -> TrialSpec:
    config = sample.model_dump()
    stage = StageSpec("sample", stage_key("sample", config, None), config, None)
    bounds = [f"M={group.num_skips}"]
    if group.min_multadds_m is not None:
        bounds.append(f"MultAdds >= {group.min_multadds_m:g}M")
    if group.max_multadds_m is not None:
        bounds.append(f"MultAdds <= {group.max_multadds_m:g}M")
    name = f"random ({', '.join(bounds)})"
    stages = (stage, _retrain_stage(stage, sections, identify))
    repetition = {"index": sample.index} | ({"seed": sample.seed} if sample.seed else {})
    return _trial("random", name, shown | repetition, sections, stages)


def _search_stages(sections: Sections, identify: Identify) -> tuple[StageSpec, StageSpec]:
    # A search never uses test images: other test images must not change its key.
    data = _data(sections, ("train",), identify) | {"num_test": None}
    config = {"search": sections.search.model_dump(), "data": data}
    search = StageSpec("search", stage_key("search", config, None), config, None)
    rule = sections.derive.model_dump() | {"space": sections.search.space}
    if sections.derive.threshold is None:
        del rule["op_threshold"]  # The rule does not use it; it must not change the key.
    return search, StageSpec("derive", stage_key("derive", rule, search.key), rule, search.key)


def _retrain_stage(parent: StageSpec, sections: Sections, identify: Identify) -> StageSpec:
    data = _data(sections, ("train", "test"), identify)
    config = {"retrain": sections.retrain.model_dump(), "data": data}
    return StageSpec("retrain", stage_key("retrain", config, parent.key), config, parent.key)


def _data(sections: Sections, splits: tuple[Split, ...], identify: Identify) -> dict[str, Any]:
    data = sections.data
    return data.model_dump() | {"fingerprints": {split: identify(data, split) for split in splits}}


def _trial(
    method: str,
    name: str,
    shown: Settings,
    sections: Sections,
    stages: tuple[StageSpec, ...],
) -> TrialSpec:
    # Labels have short names, such as `epochs=5`; full ones only if two settings share a short one.
    fields = [axis.rpartition(".")[2] for axis in shown]
    texts = {
        axis: f"{axis if fields.count(field) > 1 else field}={value}"
        for field, (axis, value) in zip(fields, shown.items(), strict=True)
    }
    repetition = ("seed", "index", "search.seed", "retrain.seed")
    varied = [text for axis, text in texts.items() if axis not in repetition]
    return TrialSpec(
        label=" ".join([name, *texts.values()]),
        group_label=" ".join([name, *varied]),
        group_id=group_id(method, [(stage.kind, stage.config) for stage in stages]),
        method=method,
        dataset=data_label(sections.data),
        recipe=recipe_label(sections.retrain),
        stages=stages,
    )
