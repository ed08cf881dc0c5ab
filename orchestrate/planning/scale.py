"""Scales beside the paper's: what a sweep leaves open is as its scale says, see `scales.toml`."""

import tomllib
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from fairdarts.spaces import get_space
from orchestrate.errors import SweepError
from orchestrate.planning.settings import Settings, flatten

PAPER = "paper"
"""The scale of the published settings, which are the defaults."""


@dataclass(frozen=True)
class Scale:
    """Settings of all trials, and of those of one recipe, method or kind of space: later wins."""

    settings: Settings = field(default_factory=dict)
    recipes: dict[str, Settings] = field(default_factory=dict)
    methods: dict[str, Settings] = field(default_factory=dict)
    kinds: dict[str, Settings] = field(default_factory=dict)
    """`cells` (S1) and `layers` (S2)."""

    def layer(self, method: str, space: str, recipe: str) -> Settings:
        """All that it sets for one trial.

        Raises:
            ConfigError: If there is no such search space.
        """
        return (
            self.settings
            | self.recipes.get(recipe, {})
            | self.methods.get(method, {})
            | self.kinds.get(get_space(space).kind, {})
        )


def scales() -> dict[str, Scale]:
    """Every scale by name, the paper's first."""
    text = (resources.files("orchestrate.planning") / "scales.toml").read_text("utf-8")
    return {PAPER: Scale()} | {name: _read(table) for name, table in tomllib.loads(text).items()}


def scale_named(name: str) -> Scale:
    """The scale of that name.

    Raises:
        SweepError: If there is none.
    """
    known = scales()
    if name not in known:
        raise SweepError(f"scale (={name!r}) is not known; allowed: {', '.join(known)}.")
    return known[name]


def _read(table: dict[str, Any]) -> Scale:
    by_name = {
        part: {name: flatten(settings) for name, settings in table.get(part, {}).items()}
        for part in ("recipes", "methods", "kinds")
    }
    return Scale(settings=flatten(table["settings"]), **by_name)
