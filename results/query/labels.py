"""Labels that tell the groups of a table apart, and the settings of a trial by name."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from results.query.configs import stages_of

if TYPE_CHECKING:
    import pandas as pd

BLOCK = ("sweep", "dataset", "space", "recipe")
"""Groups that differ in one of these stand in different blocks, or have a column that says so."""
TELLING = ("search.space", "search.zero_one_weight", "search.zero_one_form", "search.optimization")
"""Settings that people name experiments by."""
MAX_SETTINGS = 4
"""A label names at most this many settings."""


def settings(config_json: str | None) -> dict[str, Any]:
    """The settings of a trial by full name, such as `search.batch_size`.

    Args:
        config_json: `trials.config_json`. Settings of images are those of the last stage that has
            them.
    """
    named: dict[str, Any] = {}
    for stage in stages_of(config_json):
        for name, value in stage["config"].items():
            if isinstance(value, Mapping):
                named |= {f"{name}.{setting}": one for setting, one in value.items()}
            else:  # Stages of kinds with a single section have its settings directly.
                named[f"{stage['kind']}.{name}"] = value
    return named


def tell_apart(outcomes: "pd.DataFrame", block: Sequence[str] = BLOCK) -> "pd.DataFrame":
    """Add to labels that several groups share the settings in which these groups differ.

    Args:
        outcomes: What `results.query.outcomes.trial_outcomes` returns.
        block: Groups that differ in one of these columns are told apart already.
    """
    firsts = outcomes.drop_duplicates(["sweep", "group_id"])
    labels: dict[tuple[str, str], str] = {}
    for _, alike in firsts.groupby([*block, "group_label"], sort=False, dropna=False):
        if len(alike) > 1:
            keys = zip(alike["sweep"], alike["group_id"], strict=True)
            labels |= dict(zip(keys, _distinct(alike), strict=True))
    if not labels:
        return outcomes
    pairs = zip(outcomes["sweep"], outcomes["group_id"], outcomes["group_label"], strict=True)
    return outcomes.assign(
        group_label=[labels.get((sweep, id_), label) for sweep, id_, label in pairs]
    )


def _distinct(groups: "pd.DataFrame") -> Sequence[str]:
    configs = [settings(config) for config in groups["config_json"]]
    told = _with_settings(list(groups["group_label"]), configs)
    times = Counter(told)
    return [
        label if times[label] == 1 else f"{label} group={id_}"
        for label, id_ in zip(told, groups["group_id"], strict=True)
    ]


def distinct_labels(groups: Sequence[tuple[str, str]]) -> list[str]:
    """Add to labels that several groups share settings in which they differ, as few as suffice.

    Args:
        groups: Label of each, and the sections of its settings, as JSON.
    """
    alike: dict[str, list[int]] = {}
    for number, (label, _) in enumerate(groups):
        alike.setdefault(label, []).append(number)
    told = [label for label, _ in groups]
    for label, numbers in alike.items():
        if len(numbers) > 1:
            configs = [_flat(json.loads(groups[number][1])) for number in numbers]
            named = _with_settings([label] * len(numbers), _needed(configs))
            for number, one in zip(numbers, named, strict=True):
                told[number] = one
    return told


def _needed(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of the settings those that tell the groups apart, the ones that mean most to people first."""
    names = sorted({name for config in configs for name in config if not _is_seed(name)})
    needed: list[str] = []
    num_told = 1
    for name in [*(one for one in TELLING if one in names), *names]:
        more = len({repr([config.get(one) for one in [*needed, name]]) for config in configs})
        if more > num_told:
            needed, num_told = [*needed, name], more
    return [{name: config.get(name) for name in needed} for config in configs]


def _flat(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        f"{section}.{name}": value
        for section in sections
        for name, value in sections[section].items()
    }


def _with_settings(labels: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Labels with the settings in which the groups differ."""
    names = sorted({name for config in configs for name in config if not _is_seed(name)})
    names = [*(name for name in TELLING if name in names), *(n for n in names if n not in TELLING)]
    differing = [name for name in names if len({repr(c.get(name)) for c in configs}) > 1]
    return [
        " ".join([label, *(f"{name}={config.get(name)}" for name in differing[:MAX_SETTINGS])])
        for label, config in zip(labels, configs, strict=True)
    ]


def _is_seed(name: str) -> bool:
    return name.endswith((".seed", ".index"))
