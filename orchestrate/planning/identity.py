"""The key of a stage: a hash of all settings that can change its result, and of nothing else.

Stages with the same key have the same result. So trials share stages, and a stage that was computed
once is never computed again.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

SEMANTICS_VERSION = {"search": 2, "derive": 1, "sample": 2, "given": 1, "retrain": 3}
"""A version for each kind of stage. A developer raises it with every change of the code that may
change results: old results then have other keys, and are not used for new trials."""

NOT_IN_KEY = {
    "data.source": "says where the images are; their fingerprint in the key says what they are",
    "data.train_split": "says what the files are called; the fingerprint says what is in them",
    "data.test_split": "the same",
    "search.recompute": "trades time for memory; on a CPU the numbers are bit for bit the same",
    "search.kernels": "like the device, it says who computes the same sums",
    "retrain.cuda_graph": "replays the same operations, which draw the same random numbers",
    "retrain.recipe": "only a name for values that the other fields of a retraining have",
}
"""Settings that cannot change a result, by full name, with the reason. (Another section may have a
field with the same short name that does change results.)"""

ADDED_LATER: dict[str, Any] = {
    "data.image_column": None,
    "data.label_column": None,
}
"""Settings that were added after people had stored results, each with the value that means "as
before". A setting with that value is left out of the key, so that old results are found again."""

STANDS_FOR = {"search.cuda_graph": (None, False)}
"""Settings with a value that was added after the first results, and the older value that stands for
it in keys: a step that is replayed as a graph computes the same."""

SEEDS = {"seed", "index"}
"""Settings in which the repetitions of one group differ."""
Seeds = dict[str, int]
"""Those of one stage, by name."""

_PARENT = "\0parent"
_PARENT_TEXT = json.dumps(_PARENT)
"""Stand for a parent; no key and no setting has this value."""


def stage_key(kind: str, config: dict[str, Any], parent: str | None) -> str:
    """Key of a stage, 16 hexadecimal digits.

    Args:
        kind: A key of `SEMANTICS_VERSION`.
        config: All settings of the stage, defaults included: nested dictionaries of JSON values,
            with the fingerprints of the images.
        parent: Key of the stage before it, whose rows it reads; None if it is the first. As this
            key depends on all earlier settings, so does the new one.
    """
    return digest(_identity(kind, config, parent))


class StageKeys:
    """The keys of stages that differ only in their seeds and in the stage before them.

    Thousands of repetitions have the same text but for a few numbers, so it is made once.

    Args:
        kind: As of `stage_key`.
        config: Settings of one of the stages.
    """

    def __init__(self, kind: str, config: dict[str, Any]) -> None:
        marks = {name: f"\0{name}" for name in SEEDS}
        self._text = _text(_identity(kind, with_seeds(kind, config, marks), _PARENT))
        self._marks = {name: json.dumps(mark) for name, mark in marks.items()}

    def key(self, seeds: Seeds, parent: str | None) -> str:
        """What `stage_key` is for these seeds, which must be all that the stage has."""
        text = self._text.replace(_PARENT_TEXT, f'"{parent}"' if parent else "null")
        for name, seed in seeds.items():
            text = text.replace(self._marks[name], str(seed))
        return _short_digest(text)


def seeds_of(kind: str, config: dict[str, Any]) -> Seeds:
    """The seeds of a stage; one that draws nothing has none."""
    section = config.get(kind, config)
    return {name: section[name] for name in SEEDS if name in section}


def with_seeds(kind: str, config: dict[str, Any], seeds: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a stage with other seeds; names that the stage has not are left out."""
    section = config.get(kind, config)
    changed = section | {name: seed for name, seed in seeds.items() if name in section}
    return changed if section is config else config | {kind: changed}


def _identity(kind: str, config: dict[str, Any], parent: str | None) -> dict[str, Any]:
    return {
        "kind": kind,
        "semantics_version": SEMANTICS_VERSION[kind],
        "config": _what_counts(kind, config),
        "parent": parent,
    }


def group_id(method: str, stages: list[tuple[str, dict[str, Any]]]) -> str:
    """Id of a group of trials that differ only in their seeds: a hash without the seeds.

    Args:
        method: Name of the method, or `random` or `given`.
        stages: Kind and settings of every stage.
    """
    configs = [[kind, _without_seeds(_what_counts(kind, config))] for kind, config in stages]
    return digest({"method": method, "stages": configs})


def _what_counts(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """A stage's settings without those that cannot change its result."""
    # A stage with a single section has the fields of that section directly in `config`.
    sections = {name: part for name, part in config.items() if isinstance(part, dict)}
    alone = {"sample": "random"}.get(kind, kind)
    direct = {name: value for name, value in config.items() if name not in sections}
    kept = {name: _section_in_key(name, section) for name, section in sections.items()}
    return kept | _section_in_key(alone, direct)


def _section_in_key(name: str, section: dict[str, Any]) -> dict[str, Any]:
    """The settings of a section as keys have them. Plans with thousands of trials call it often."""
    kept = dict(section)
    for full_name in (*NOT_IN_KEY, *ADDED_LATER, *STANDS_FOR):
        part, _, field = full_name.partition(".")
        if part != name or field not in section:
            continue
        value = section[field]
        later, before = STANDS_FOR.get(full_name, (value, value))
        if full_name in NOT_IN_KEY or (
            full_name in ADDED_LATER and value == ADDED_LATER[full_name]
        ):
            del kept[field]
        elif value == later:
            kept[field] = before
    return kept


def _without_seeds(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_seeds(v) for name, v in value.items() if name not in SEEDS}
    return value


def digest(value: Any) -> str:
    """First 16 hexadecimal digits of the sha256 of `value`, as JSON with sorted keys."""
    return _short_digest(_text(value))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
