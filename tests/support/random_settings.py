"""Random sweep files of one trial, drawn from what the settings themselves say they allow.

A new setting is drawn without a change here: its type, bounds and words come from its JSON schema.
"""

import math
import random
from pathlib import Path
from typing import Any

from fairdarts.config import Config
from fairdarts.presets import METHODS
from fairdarts.spaces import SPACES, LayerSpace, get_space
from orchestrate.planning.settings import SECTIONS
from orchestrate.planning.sweep_file import RandomBaseline

Table = dict[str, Any]

TINY: dict[str, Table] = {
    "data": {"num_train": 12, "num_test": 4, "image_size": 8},
    "search": {"epochs": 2, "batch_size": 6},
    "derive": {},
    "retrain": {"epochs": 2, "warmup_epochs": 0, "batch_size": 6, "cutout": 2},
}
"""Settings with which a step takes milliseconds; random ones replace them."""
TINY_CELLS: dict[str, Table] = {
    "search": {"init_channels": 2, "num_cells": 3},
    "retrain": {"init_channels": 2, "num_cells": 3, "auxiliary_weight": 0.0},
}
TINY_LAYERS: dict[str, Table] = {
    "search": {"width": 0.1, "num_layers": 6},
    "retrain": {"width": 0.1},
}
COMMON: Table = {
    "image_size": [8, 12, 16, 30, 32, 33, 64, 224],
    "num_layers": [6, 11, 15, 19],
    "num_train": [4, 5, 12, 24, 100],
    "width": [0.01, 0.05, 0.2, 0.3],
}
"""Values between which a range says too little, or is too expensive."""
NONSENSE: list[Any] = [
    *(None, True, "", "s3", -1, 0, 0.5, 1.5, math.nan, math.inf, 10**30, 1e308, [], [0], {"a": 1}),
]
"""Values that most settings do not allow."""
TEXTS = ["train", "test", "val", "img", "label", "none", "a/b", "a\0b", "x" * 300]
SOURCES = [
    *("digits", "parquet:DIR", "folder:DIR"),
    *("cifar10", "cifar100", "imagenet", "mnist", "folder:", "folder:DIR/none", "parquet:DIR\0"),
    *("folder:~nobody/x", "folder:\udcff", "parquet:" + "x" * 300),
]
"""`DIR` stands for a folder that holds images of that kind; the first three can be used."""


def random_table(seed: int, folders: dict[str, Path]) -> Table:
    """A sweep file of one trial, as TOML gives it, most often one that can be planned.

    Args:
        seed: Of the draws; equal seeds give equal tables.
        folders: Where images are, by kind of source: `parquet` and `folder`.
    """
    chance = random.Random(seed)
    space = chance.choice(list(SPACES))
    of_space = TINY_LAYERS if isinstance(get_space(space), LayerSpace) else TINY_CELLS
    settings = {name: TINY[name] | of_space.get(name, {}) for name in SECTIONS}
    settings["search"]["space"] = space
    source = chance.choice(SOURCES if chance.random() < 0.1 else SOURCES[:3])
    kind = source.partition(":")[0]
    settings["data"]["source"] = source.replace("DIR", str(folders.get(kind, "")))
    for _ in range(chance.randrange(9)):
        section = chance.choice(list(SECTIONS))
        name, value = _setting(chance, SECTIONS[section])
        settings[section][name] = value
        if value is None and chance.random() < 0.9:
            del settings[section][name]
    table: Table = {"settings": settings, "matrix": {"method": [chance.choice(list(METHODS))]}}
    if chance.random() < 0.1:
        baseline = dict(_setting(chance, RandomBaseline) for _ in range(2)) | {"models": 1}
        table |= {"matrix": {}, "random": [baseline]}
    return table


def _setting(chance: random.Random, group: type[Config]) -> tuple[str, Any]:
    properties: Table = group.model_json_schema()["properties"]
    name = chance.choice(list(properties))
    if chance.random() < 0.03:
        return name, chance.choice(NONSENSE)
    if name in COMMON and chance.random() < 0.9:
        return name, chance.choice(COMMON[name])
    return name, _value(chance, properties[name])


def _value(chance: random.Random, schema: Table) -> Any:
    schema = chance.choice(schema.get("anyOf", [schema]))
    if "enum" in schema:
        return chance.choice(schema["enum"])
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    match schema.get("type"):
        case "null":
            return None
        case "boolean":
            return chance.random() < 0.5
        case "string":
            return chance.choice(TEXTS)
        case "integer":
            most = 10**30 if high is None else high
            ends = [low - 1, low, most, most + 1]
            near = chance.randint(low, min(low + 12, most))
            return chance.choice(ends) if chance.random() < 0.2 else near
        case "number":
            most = 1e308 if high is None else high
            ends = [low, math.nextafter(low, math.inf), most, math.nextafter(most, 0), low - 1e-9]
            near = chance.uniform(low, min(low + 1, most))
            return chance.choice(ends) if chance.random() < 0.3 else near
    raise AssertionError(f"settings of type {schema} are not drawn yet")
