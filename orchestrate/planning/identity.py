"""A stage's key: the hash of every setting that can change its result, and of nothing else."""

import hashlib
import json
from typing import Any

SEMANTICS_VERSION = {"search": 2, "derive": 1, "sample": 2, "given": 1, "retrain": 3}
"""Raised, per kind, by whoever changes the code in a way that may change its numbers."""

NOT_IN_KEY = {
    "source": "where the images lie; their fingerprint stands for what they are",
    "recompute": "time for memory; the numbers are the same, bit for bit on a CPU",
    "recipe": "a name for the other fields of a retraining",
}
"""Settings that cannot change a result, with the reason."""

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
            "config": without(config, NOT_IN_KEY),
            "parent": parent,
        }
    )


def group_id(method: str, stages: list[tuple[str, dict[str, Any]]]) -> str:
    """What all seeds of one setting share: the hash of its stages without their seeds."""
    configs = [[kind, without(config, NOT_IN_KEY.keys() | SEEDS)] for kind, config in stages]
    return digest({"method": method, "stages": configs})


def digest(value: Any) -> str:
    """First 16 hexadecimal digits of the sha256 of the canonical JSON of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without(value: Any, names: Any) -> Any:
    """`value` with every dictionary entry of these names left out, at any depth."""
    if isinstance(value, dict):
        return {k: without(v, names) for k, v in value.items() if k not in names}
    return value
