"""Reads a sweep file, which is TOML, and checks it.

```toml
description = "FairDARTS against DARTS"
cost = "3 minutes on 2 CPU cores"

[settings]                # of every trial, by full or unambiguous short name
data = "digits"
search.epochs = 5

[methods.darts]           # of the trials of one method
search.alpha_lr = 0.01

[matrix]                  # every combination is a trial
method = ["fairdarts", "darts"]
seed = [0, 1]

[[random]]                # random-sampling baselines, retrained like the rest
models = 2
num_skips = 2

[resources]
cpus_per_trial = 1
```
"""

import tomllib
from dataclasses import dataclass, field, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import Field

from fairdarts.config_sample import RandomGenotypes
from fairdarts.errors import ConfigError
from fairdarts.presets import METHODS
from orchestrate.errors import SweepError
from orchestrate.planning.resources import Resources
from orchestrate.planning.scale import PAPER, Scale, scale_named
from orchestrate.planning.settings import (
    Settings,
    flatten,
    full_name,
    names_as_written,
    parse_assignment,
)
from results.store.layout import is_sweep

KEYS = ("name", "description", "cost", "settings", "methods", "matrix", "random", "resources")


class RandomBaseline(RandomGenotypes):
    """A group of random genotypes."""

    models: int = Field(ge=1)
    """How many distinct genotypes."""


@dataclass(frozen=True)
class Sweep:
    """A checked sweep; `orchestrate.planning.plan.plan` turns it into trials."""

    name: str
    description: str
    cost: str
    settings: Settings
    methods: dict[str, Settings]
    scale: Scale
    """Everything in the file wins over what the scale sets."""
    matrix: dict[str, list[Any]]
    random: list[RandomBaseline]
    resources: Resources
    overrides: Settings
    """Values of `--set`, which win over everything else."""
    path: str = ""
    """Name or file that it was read from, as the user wrote it."""
    text: str = ""
    """The whole of that file."""
    written: dict[str, str] = field(default_factory=dict)
    """Where the user wrote each setting and under which name, by full name: errors say it."""

    def place(self, setting: str | None) -> str:
        """Where the user wrote a setting, for an error: the file, the part and the name there."""
        # `seed` is resolved to these two, but the user may have written `seed`.
        name = "seed" if setting in ("search.seed", "retrain.seed") else setting
        where = self.written.get(setting or "") or self.written.get(name or "", "")
        return ", ".join(part for part in (self.path, where) if part)


def load_sweep(
    name_or_path: str, assignments: list[str] | None = None, scale: str = PAPER
) -> Sweep:
    """Read a packaged sweep or a TOML file and check it.

    Args:
        name_or_path: Name of a packaged sweep, or path of a file that ends in `.toml`.
        assignments: `key=value` overrides.
        scale: `paper`, or a scale of `scales.toml`, which has other defaults for what the file does
            not set. Its name is appended to the name of the sweep.
    Raises:
        SweepError: If there is no such sweep, or a key or value cannot be used.
    """
    name, text = _read(name_or_path)
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise SweepError(f"{name_or_path} is nested too deeply to be a sweep.") from None
    except tomllib.TOMLDecodeError as error:
        hint = ""
        if "overwrite" in str(error):
            hint = ' (beside other data.* settings write data.source = "..." instead of data)'
        raise SweepError(f"{name_or_path} is not TOML: {error}{hint}.") from None
    try:
        sweep = parse_sweep(table, name, assignments or [], scale)
    except (SweepError, ConfigError) as error:
        raise SweepError(f"{name_or_path}: {error}") from None
    return replace(sweep, path=name_or_path, text=text)


def parse_sweep(
    table: dict[str, Any],
    name: str,
    assignments: list[str],
    scale_name: str = PAPER,
) -> Sweep:
    """Check a parsed sweep file; see `load_sweep`.

    Raises:
        SweepError: If a key or a value cannot be used.
        ConfigError: If a value of [[random]] or [resources] is out of range.
    """
    scale = scale_named(scale_name)
    for key in table:
        if key not in KEYS:
            raise SweepError(f"{key} is not a section of a sweep; allowed: {', '.join(KEYS)}.")
    name = table.get("name", name)
    if scale_name != PAPER:
        name = f"{name}-{scale_name}"
    if not isinstance(name, str) or not is_sweep(name):
        raise SweepError(
            f"name (={name!r}) must be 1 to 63 of a-z, 0-9, - and _, starting with a letter or "
            "digit: it names a folder."
        )
    matrix = flatten(_table(table, "matrix"))
    resources_table = dict(_table(table, "resources"))
    random_tables = [dict(group) for group in _random(table)]
    overrides: Settings = {}
    for assignment in assignments:
        key, value = parse_assignment(assignment)
        section, _, field = key.partition(".")
        if section == "resources":
            _put(resources_table, field, value)
        elif section == "random":
            if not random_tables:
                raise SweepError(f"--set {assignment}: this sweep has no [[random]].")
            for group in random_tables:
                group[field] = value
        # A list is an axis. A single value for an axis of the file narrows it to that value.
        elif full_name(key) in matrix or isinstance(value, list):
            matrix[full_name(key)] = value if isinstance(value, list) else [value]
        else:
            overrides[full_name(key)] = value
    for axis, values in matrix.items():
        _check_axis(axis, values)
    settings, methods = flatten(_table(table, "settings")), _methods(table)
    _check_seed({*settings, *matrix, *overrides}.union(*methods.values()))
    if not matrix and not random_tables:
        raise SweepError("there is neither [matrix] nor [[random]], so there is nothing to run.")
    return Sweep(
        name=name,
        description=str(table.get("description", "")),
        cost=str(table.get("cost", "")),
        settings=settings,
        methods=methods,
        scale=scale,
        matrix=matrix,
        random=[RandomBaseline.build(group, "random") for group in random_tables],
        resources=Resources.build(resources_table, "resources"),
        overrides=overrides,
        written=_written(table, assignments),
    )


def _put(table: dict[str, Any], name: str, value: Any) -> None:
    """Set a value of a table, such as `cpus_per_trial`, or of a table in it: `search.cpus`."""
    part, dot, field = name.rpartition(".")
    if not dot:
        table[name] = value
    elif isinstance(table.setdefault(part, {}), dict):
        table[part] = table[part] | {field: value}


def _written(table: dict[str, Any], assignments: list[str]) -> dict[str, str]:
    """See `Sweep.written`. Parts that win over others come later here, and so replace them."""
    parts = {"[settings]": _table(table, "settings")}
    parts |= {f"[methods.{name}]": part for name, part in _table(table, "methods").items()}
    parts["[matrix]"] = _table(table, "matrix")
    written = {
        full: f"{part} {name}"
        for part, settings in parts.items()
        for full, name in names_as_written(settings).items()
    }
    for key in (parse_assignment(assignment)[0] for assignment in assignments):
        if not key.startswith(("resources.", "random.")):
            written[full_name(key)] = f"--set {key}"
    return written


def packaged_sweeps() -> list[str]:
    """Names of the sweeps that come with the package."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in _package_folder().iterdir()
        if entry.name.endswith(".toml")
    )


def _package_folder() -> Traversable:
    return resources.files("orchestrate") / "sweeps"


def _read(name_or_path: str) -> tuple[str, str]:
    if not name_or_path.endswith(".toml"):
        if name_or_path not in packaged_sweeps():
            raise SweepError(
                f"there is no packaged sweep {name_or_path!r}; there are: "
                f"{', '.join(packaged_sweeps())}, or give the path of a .toml file."
            )
        return name_or_path, (_package_folder() / f"{name_or_path}.toml").read_text("utf-8")
    path = Path(name_or_path)
    try:
        return path.stem.lower(), path.read_text("utf-8")
    except FileNotFoundError:
        raise SweepError(f"there is no file {name_or_path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SweepError(f"{name_or_path} cannot be read: {error}.") from None


def _methods(table: dict[str, Any]) -> dict[str, Settings]:
    methods = {}
    for method, settings in _table(table, "methods").items():
        if method not in METHODS:
            raise SweepError(
                f"methods.{method} is not a known method; allowed: {', '.join(METHODS)}."
            )
        if not isinstance(settings, dict):
            raise SweepError(
                f"methods.{method} (={settings!r}) must be a table: write it as [methods.{method}]."
            )
        methods[method] = flatten(settings)
        if "method" in methods[method]:
            raise SweepError(
                f"[methods.{method}] sets method, which is {method} there: leave it out, and list "
                "methods in [matrix]."
            )
    return methods


def _table(table: dict[str, Any], key: str) -> dict[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise SweepError(f"{key} (={value!r}) must be a table: write it as [{key}].")
    return value


def _random(table: dict[str, Any]) -> list[dict[str, Any]]:
    groups = table.get("random", [])
    if isinstance(groups, dict):  # [random] instead of [[random]]: what it means is clear.
        groups = [groups]
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise SweepError(f"random (={groups!r}) must be a table: write it as [[random]].")
    return groups


def _check_seed(names: set[str]) -> None:
    """`seed` is that of the search and of the retraining; the latter may differ, on purpose."""
    if {"seed", "search.seed"} <= names:
        raise SweepError(
            "seed and search.seed are both given, and seed sets search.seed too: keep one of them "
            "(retrain.seed alone may stand beside seed)."
        )


def _check_axis(axis: str, values: Any) -> None:
    if not isinstance(values, list):
        raise SweepError(
            f"matrix.{axis} (={values!r}) must be a list of values; write one value for all trials "
            "under [settings]."
        )
    if not values:
        raise SweepError(f"matrix.{axis} is empty: give at least one value or leave it out.")
    known = set()
    for value in values:
        # A list or table is not hashable. Equal numbers such as 1 and 1.0 count as the same.
        name = repr(value) if isinstance(value, list | dict) else value
        if name in known:
            raise SweepError(f"matrix.{axis} has {value!r} twice: each value makes one trial.")
        known.add(name)
