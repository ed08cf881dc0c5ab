"""Turns settings as people write them, with short or full names, into checked configurations."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairdarts.config import (
    Config,
    DataConfig,
    DeriveConfig,
    RetrainConfig,
    SampleConfig,
    SearchConfig,
)
from fairdarts.config_base import shown
from fairdarts.errors import ConfigError
from fairdarts.presets import METHODS, RECIPES, SPACE_SETTINGS, presets
from orchestrate.errors import SweepError, first_line

SECTIONS: dict[str, type[Config]] = {
    "data": DataConfig,
    "search": SearchConfig,
    "derive": DeriveConfig,
    "retrain": RetrainConfig,
}


@dataclass(frozen=True)
class Sections:
    """The resolved settings of one trial."""

    data: DataConfig
    search: SearchConfig
    derive: DeriveConfig
    retrain: RetrainConfig


SEED_AXES = ("seed", "search.seed", "retrain.seed")
"""Settings in which repetitions differ; the first one sets both others."""
Settings = dict[str, Any]
"""Values by full name: `section.field`, `method` or `seed`."""


def full_name(name: str) -> str:
    """The full name of a setting: `search.zero_one_weight` for `zero_one_weight`.

    Raises:
        SweepError: If no setting has that name, or more than one has.
    """
    if name in ("method", "seed"):
        return name
    if name == "data":
        return "data.source"
    section, _, field = name.partition(".")
    if section in SECTIONS and field:
        if field in SECTIONS[section].model_fields:
            return name
        allowed = ", ".join(SECTIONS[section].model_fields)
        raise SweepError(f"{name} is not a setting; {section} has: {allowed}.")
    owners = [s for s, config in SECTIONS.items() if name in config.model_fields]
    if len(owners) == 1:
        return f"{owners[0]}.{name}"
    if owners:
        choices = " or ".join(f"{owner}.{name}" for owner in owners)
        raise SweepError(f"{name} could be {choices}: write which one.")
    raise SweepError(
        f"{name} is not a setting; there are method, seed and the fields of "
        f"{', '.join(SECTIONS)} (`fairdarts sweep settings` lists them)."
    )


def flatten(table: dict[str, Any], prefix: str = "") -> Settings:
    """Values by full name, from nested TOML tables.

    Raises:
        SweepError: If a name is not a setting, or a setting has two values.
    """
    flat: Settings = {}
    for name, value in _leaves(table, prefix):
        full = full_name(name)
        if full in flat:
            raise SweepError(f"{full} is given twice, under two names: keep one of them.")
        flat[full] = value
    return flat


def names_as_written(table: dict[str, Any]) -> dict[str, str]:
    """The name that the user wrote for each setting in nested TOML tables, by full name."""
    return {full_name(name): name for name, _ in _leaves(table)}


def _leaves(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{prefix}{key}", value
        elif prefix:  # A setting has two parts, section and field, and never three.
            raise SweepError(f"{prefix}{key} is not a setting: it cannot be a table.")
        else:
            yield from _leaves(value, f"{key}.")


def parse_assignment(text: str) -> tuple[str, Any]:
    """Name and value of an assignment `key=value`.

    The value is read as TOML: `5`, `true`, `[0, 1]`. If it is not valid TOML, it is plain text, so
    that `method=darts` needs no quotes.

    Raises:
        SweepError: If there is no `=`, or there are two assignments.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise SweepError(f"--set {text}: write it as key=value, for example --set search.epochs=5.")
    try:
        table = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError:
        table = {"value": value}
    except RecursionError:
        raise SweepError(f"--set {key}: its value is nested too deeply to be one.") from None
    # People may write `--set "a=1 b=2"`. Then `b` would end up in the value of `a`: refuse it.
    names = [*(table.keys() - {"value"}), *_NAME_BEFORE_EQUALS.findall(value)]
    if isinstance(table["value"], str) and value[:1] in ("'", '"'):
        names = []  # Quoted text may contain anything.
    if any(map(_is_setting, names)) or len(table) > 1:
        raise SweepError(f"--set {text}: one assignment for each --set: write --set again.")
    return key, table["value"]


_NAME_BEFORE_EQUALS = re.compile(r"[\s,;]([A-Za-z_][\w.]*)\s*=")


def _is_setting(name: str) -> bool:
    try:
        return bool(full_name(name))
    except SweepError:
        return name.startswith(("resources.", "random."))


def resolve(method: str, layers: list[Settings]) -> Sections:
    """The settings of one trial, from several sources.

    Later sources win: the defaults, the presets of the method and of the search space, the recipe,
    then the layers from first to last.

    Args:
        method: Name of the search method.
        layers: Settings by full name. `seed` sets the seed of both the search and the retraining.
    Raises:
        SweepError: If the method is not known.
        ConfigError: If a value cannot be used.
    """
    if method not in METHODS:
        raise SweepError(f"method (={method!r}) is not known; allowed: {', '.join(METHODS)}.")
    merged: Settings = {}
    for layer in layers:
        merged |= layer
    if merged.pop("method", method) != method:
        raise SweepError(f"method cannot be set here: it is {method!r} by now.")
    merged.pop("seed", None)
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for section, preset in presets(method, space_of(layers)).items():
        values[section] |= preset
    values["retrain"] |= RECIPES.get(recipe_of(layers), {})
    # ImageNet does not fit into memory. With this augmentation images stay in their files.
    if merged.get("data.source") == "imagenet":
        values["data"]["augmentation"] = "resized_crop"
    for section, seed in section_seeds(layers).items():
        values[section]["seed"] = seed
    for name, value in merged.items():
        section, _, field = name.partition(".")
        values[section][field] = value
    return Sections(
        data=DataConfig.build(_absolute(values["data"]), "data"),
        search=SearchConfig.build(values["search"], "search"),
        derive=DeriveConfig.build(values["derive"], "derive"),
        retrain=RetrainConfig.build(values["retrain"], "retrain"),
    )


def section_seeds(layers: list[Settings]) -> dict[str, Any]:
    """The seed of the search and that of the retraining, which may be the same one.

    Args:
        layers: Settings by full name; later ones win.
    """
    given: Settings = {}
    for layer in layers:
        given |= {axis: layer[axis] for axis in SEED_AXES if axis in layer}
    both = given.get("seed", 0)
    return {section: given.get(f"{section}.seed", both) for section in ("search", "retrain")}


def chosen(name: str, layers: list[Settings], default: object) -> str:
    """The value of one setting in these layers, as text: that of the last layer that sets it."""
    return str(next((layer[name] for layer in reversed(layers) if name in layer), default))


def recipe_of(layers: list[Settings]) -> str:
    """The retraining recipe that these layers set, else that of the search space."""
    of_space = SPACE_SETTINGS.get(space_of(layers), {}).get("retrain", {}).get("recipe")
    return chosen(
        "retrain.recipe", layers, of_space or RetrainConfig.model_fields["recipe"].default
    )


def space_of(layers: list[Settings]) -> str:
    """The search space that these layers set."""
    return chosen("search.space", layers, SearchConfig.model_fields["space"].default)


def resolve_sample(values: dict[str, Any]) -> SampleConfig:
    """The checked settings of one random genotype."""
    return SampleConfig.build(values, "random")


def data_label(config: DataConfig) -> str:
    """The source of the images, and every other setting of them that is not the default."""
    changed = [
        f"{field}={value}"
        for field, value in config.model_dump(exclude={"source"}).items()
        if value != DataConfig.model_fields[field].default
    ]
    return f"{config.source}[{','.join(changed)}]" if changed else config.source


def recipe_label(config: RetrainConfig) -> str:
    """The recipe's name, and every field that differs from it."""
    reference = RetrainConfig(recipe=config.recipe, **RECIPES[config.recipe])
    ours = config.model_dump()
    changed = [
        f"{field}={ours[field]}"
        for field, value in reference.model_dump().items()
        # The drop-path mode depends on the method and the seed on the repetition; the memory
        # format is not a matter of the recipe.
        if ours[field] != value and field not in ("seed", "drop_path_mode", "channels_last")
    ]
    return f"{config.recipe}[{','.join(changed)}]" if changed else config.recipe


def _absolute(values: dict[str, Any]) -> dict[str, Any]:
    source = values.get("source")
    if isinstance(source, str) and ":" in source:
        kind, _, path = source.partition(":")
        if path:
            # A worker of Ray has another current directory than the user.
            try:
                absolute = Path(path).expanduser().resolve()
            except (OSError, ValueError, RuntimeError) as error:
                raise ConfigError(
                    f"data.source (={shown(source)}) is not a path: {first_line(error)}.",
                    "data.source",
                ) from None
            values = values | {"source": f"{kind}:{absolute}"}
    return values
