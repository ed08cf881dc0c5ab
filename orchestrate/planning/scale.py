"""Scales: other defaults than the paper's for what a sweep does not set; see `scales.toml`."""

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any

from fairdarts.spaces import get_space
from orchestrate.errors import SweepError

if TYPE_CHECKING:
    from orchestrate.planning.settings import Settings

PAPER = "paper"
"""The scale of the published settings, which are the defaults."""


@dataclass(frozen=True)
class Scale:
    """Settings of all trials, then of one recipe, one method, one kind of space; the later win."""

    settings: "Settings" = field(default_factory=dict)
    recipes: "dict[str, Settings]" = field(default_factory=dict)
    methods: "dict[str, Settings]" = field(default_factory=dict)
    kinds: "dict[str, Settings]" = field(default_factory=dict)
    """By kind of space: `cells` (S1) or `layers` (S2)."""

    def layer(self, method: str, space: str, recipe: str) -> "Settings":
        """All settings of this scale for one trial.

        Raises:
            ConfigError: If the search space is not known.
        """
        return (
            self.settings
            | self.recipes.get(recipe, {})
            | self.methods.get(method, {})
            | self.kinds.get(get_space(space).kind, {})
        )


def scales() -> dict[str, Scale]:
    """Every scale by name, first `paper`, which changes nothing."""
    return {PAPER: Scale()} | {name: _read(table) for name, table in _tables().items()}


def about_scales() -> dict[str, str]:
    """What each scale is for, by name.

    The `--help` of commands prints this, so it must not import the settings, which takes time.
    """
    return {PAPER: "the published settings"} | {
        name: table["about"] for name, table in _tables().items()
    }


def scale_named(name: str) -> Scale:
    """The scale with this name.

    Raises:
        SweepError: If it is not known.
    """
    known = scales()
    if name not in known:
        raise SweepError(f"scale (={name!r}) is not known; allowed: {', '.join(known)}.")
    return known[name]


def _tables() -> dict[str, dict[str, Any]]:
    text = (resources.files("orchestrate.planning") / "scales.toml").read_text("utf-8")
    return tomllib.loads(text)


def _read(table: dict[str, Any]) -> Scale:
    from orchestrate.planning.settings import flatten

    by_name = {
        part: {name: flatten(settings) for name, settings in table.get(part, {}).items()}
        for part in ("recipes", "methods", "kinds")
    }
    return Scale(settings=flatten(table["settings"]), **by_name)
