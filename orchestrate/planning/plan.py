"""Turns a sweep into its list of trials. It starts nothing, and needs neither Ray nor torch.

A trial is a chain of stages, and each stage has a key (see `identity`). Trials whose first stages
have the same key share them.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fairdarts.config import DataConfig, SampleConfig
from fairdarts.config_base import NUM_SEEDS
from fairdarts.data.files import Split
from fairdarts.data.fingerprint import fingerprint
from fairdarts.errors import ConfigError, FairDartsError
from fairdarts.spaces import S1
from orchestrate.errors import SweepError
from orchestrate.planning.identity import (
    Seeds,
    group_id,
    stage_key,
)
from orchestrate.planning.settings import (
    SEED_AXES,
    Sections,
    Settings,
    chosen,
    data_label,
    recipe_label,
    recipe_of,
    resolve,
    resolve_sample,
    section_seeds,
    space_of,
)
from orchestrate.planning.sweep_file import RandomBaseline, Sweep
from orchestrate.planning.trial_specs import Group
from orchestrate.planning.trial_specs import StageSpec as StageSpec
from orchestrate.planning.trial_specs import TrialSpec as TrialSpec

Identify = Callable[[DataConfig, Split], str]
"""Computes the fingerprint of one split of a data set, see `fairdarts.data.fingerprint`."""
MAX_TRIALS = 100_000
"""Most trials of one plan. Planning this many takes some seconds."""


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
    groups: dict[str, Group] = {}
    for values in itertools.product(*sweep.matrix.values()):
        point = dict(zip(sweep.matrix, values, strict=True))
        # Later layers win. A method's own settings come after those of all trials, but which method
        # it is must be known first, because [matrix] and --set can choose it.
        layers = [sweep.settings, point, sweep.overrides]
        method = chosen("method", layers, "fairdarts")
        layers.insert(1, sweep.methods.get(method, {}))
        shown = {axis: value for axis, value in point.items() if axis != "method"}
        seeds = {section: {"seed": seed} for section, seed in section_seeds(layers).items()}
        group = _group_of(point)
        if group in groups and _can_be_repeated(seeds):
            yield groups[group].trial(_label(method, shown), seeds)
            continue
        scale = sweep.scale.layer(method, space_of(layers), recipe_of(layers))
        sections = resolve(method, [scale, *layers])
        trial = search_trial(method, sections, shown, identify)
        groups[group] = Group(trial)
        yield trial


def _random_baselines(sweep: Sweep, identify: Identify) -> Iterator[TrialSpec]:
    axes = _training_axes(sweep)
    for random in sweep.random:
        groups: dict[str, Group] = {}
        for values in itertools.product(*axes.values()):
            point = dict(zip(axes, values, strict=True))
            group = _group_of(point)
            for index in range(random.models):
                # Every random genotype is trained with a seed of its own, if the sweep sets none.
                layers = [{"seed": index}, sweep.settings, point, sweep.overrides]
                shown = point | {"index": index} | ({"seed": random.seed} if random.seed else {})
                seed = section_seeds(layers)["retrain"]
                seeds = {"sample": {"index": index}, "retrain": {"seed": seed}}
                if group in groups and _can_be_repeated(seeds):
                    yield groups[group].trial(_label(_random_name(random), shown), seeds)
                    continue
                scale = sweep.scale.layer("fairdarts", S1.name, recipe_of(layers))
                sections = resolve(
                    "fairdarts", [scale, *(_without_method(layer) for layer in layers)]
                )
                sample = resolve_sample(random.model_dump(exclude={"models"}) | {"index": index})
                trial = _sample_trial(_random_name(random), sample, sections, shown, identify)
                groups[group] = Group(trial)
                yield trial


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
    name: str,
    sample: SampleConfig,
    sections: Sections,
    shown: Settings,
    identify: Identify,
) -> TrialSpec:
    config = sample.model_dump()
    stage = StageSpec("sample", stage_key("sample", config, None), config, None)
    stages = (stage, _retrain_stage(stage, sections, identify))
    return _trial("random", name, shown, sections, stages)


def _random_name(random: RandomBaseline) -> str:
    bounds = [f"M={random.num_skips}"]
    if random.min_multadds_m is not None:
        bounds.append(f"MultAdds >= {random.min_multadds_m:g}M")
    if random.max_multadds_m is not None:
        bounds.append(f"MultAdds <= {random.max_multadds_m:g}M")
    return f"random ({', '.join(bounds)})"


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
    varied = {axis: value for axis, value in shown.items() if axis not in (*SEED_AXES, "index")}
    return TrialSpec(
        label=_label(name, shown),
        group_label=_label(name, varied, among=shown),
        group_id=group_id(method, [(stage.kind, stage.config) for stage in stages]),
        method=method,
        dataset=data_label(sections.data),
        recipe=recipe_label(sections.retrain),
        stages=stages,
    )


def _label(name: str, shown: Settings, among: Settings | None = None) -> str:
    """A name with settings behind it: short ones, such as `epochs=5`, where they are unambiguous.

    Args:
        name: What comes first.
        shown: The settings.
        among: All settings that such labels have; None: `shown`.
    """
    fields = [axis.rpartition(".")[2] for axis in among or shown]
    texts = [
        f"{axis if fields.count(field) > 1 else field}={value}"
        for axis, value in shown.items()
        for field in (axis.rpartition(".")[2],)
    ]
    return " ".join([name, *texts])


def _group_of(point: Settings) -> str:
    """What the trials of a group have in common."""
    return repr([value for axis, value in point.items() if axis not in SEED_AXES])


def _can_be_repeated(seeds: Mapping[str, Seeds]) -> bool:
    """Whether seeds are what settings allow; if not, resolving them says what is wrong."""
    return all(
        type(seed) is int and 0 <= seed < NUM_SEEDS
        for of_stage in seeds.values()
        for seed in of_stage.values()
    )
