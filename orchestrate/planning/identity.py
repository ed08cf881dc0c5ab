"""A stage's key: the hash of every setting that can change its result, and of nothing else."""

import hashlib
import json
from typing import Any

SEMANTICS_VERSION = {"search": 2, "derive": 1, "sample": 2, "given": 1, "retrain": 3}
"""Raised, per kind, by whoever changes the code in a way that may change its numbers."""

NOT_IN_KEY = {
    "data.source": "where the images lie; their fingerprint stands for what they are",
    "data.train_split": "what the files are called; their fingerprint stands for what they are",
    "data.test_split": "likewise",
    "search.recompute": "time for memory; the numbers are the same, bit for bit on a CPU",
    "retrain.recipe": "a name for the other fields of a retraining",
}
"""Settings that cannot change a result, with the reason. Full names: another setting of the same
short name stays in the key."""

ADDED_LATER: dict[str, Any] = {
    "data.image_column": None,
    "data.label_column": None,
}
"""Settings younger than the first results, each with the value that means what was done before
there was the setting: with it, the setting is left out of the key, which stays as it was."""

SEEDS = {"seed", "index"}
"""Settings that tell repetitions of one group apart."""


def stage_key(kind: str, config: dict[str, Any], parent: str | None) -> str:
    """Key of a stage, 16 hexadecimal digits.

    Args:
        kind: One of `SEMANTICS_VERSION`.
        config: Fully resolved settings, nested dictionaries of JSON values; a data set is in it
            with its fingerprint.
        parent: Key of the stage whose output it reads.
    """
    return digest(
        {
            "kind": kind,
            "semantics_version": SEMANTICS_VERSION[kind],
            "config": _what_counts(kind, config),
            "parent": parent,
        }
    )


def group_id(method: str, stages: list[tuple[str, dict[str, Any]]]) -> str:
    """What all seeds of one setting share: the hash of its stages without their seeds."""
    configs = [[kind, _without_seeds(_what_counts(kind, config))] for kind, config in stages]
    return digest({"method": method, "stages": configs})


def _what_counts(kind: str, config: dict[str, Any]) -> dict[str, Any]:
    """A stage's settings without those that leave its result as it is."""
    alone = {"sample": "random"}.get(kind, kind)  # A stage with one section has its fields alone.
    return {
        name: {
            field: value
            for field, value in section.items()
            if not _is_neutral(f"{name}.{field}", value)
        }
        if isinstance(section, dict)
        else section
        for name, section in config.items()
        if isinstance(section, dict) or not _is_neutral(f"{alone}.{name}", section)
    }


def _is_neutral(full_name: str, value: Any) -> bool:
    if full_name in NOT_IN_KEY:
        return True
    return full_name in ADDED_LATER and bool(value == ADDED_LATER[full_name])


def _without_seeds(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_seeds(v) for name, v in value.items() if name not in SEEDS}
    return value


def digest(value: Any) -> str:
    """First 16 hexadecimal digits of the sha256 of the canonical JSON of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
