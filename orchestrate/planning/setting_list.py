"""Describes every setting: its default, its meaning and what is allowed, for commands and docs.

All of it is read from the code of the settings: their docstrings, types, ranges and registries.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fairdarts.config import Config
from fairdarts.presets import METHODS, RECIPES, SPACE_SETTINGS
from orchestrate.errors import SweepError
from orchestrate.planning.resources import TRAINING_KINDS, Resources, StageResources
from orchestrate.planning.settings import SECTIONS
from orchestrate.planning.sweep_file import RandomBaseline

GROUPS: dict[str, type[Config]] = {
    **SECTIONS,
    "random": RandomBaseline,
    "resources": Resources,
    **{f"resources.{kind}": StageResources for kind in TRAINING_KINDS},
}
"""What `--set` can change: the sections of a trial, and the other tables of a sweep file."""


@dataclass(frozen=True)
class Setting:
    """One setting, described in the words of JSON Schema."""

    name: str
    """Full name, as `--set` takes it."""
    description: str
    schema: dict[str, Any]
    """What is allowed: `type`, and if there are limits, `enum`, `minimum` and the like. `oneOf`
    several of these, if so."""
    default: Any = None
    """None if it may have no value (`optional`) or must be given (`required`)."""
    required: bool = False
    optional: bool = False
    """Whether it may have no value."""
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Other defaults, by what sets them: `{"method": {"darts": 0.0}}` says that the method `darts`
    changes the default to 0.0; `space` and `recipe` do so too."""

    @property
    def section(self) -> str:
        """The part before the dot, such as `search`; empty for `method` and `seed`."""
        return self.name.rpartition(".")[0]


def all_settings() -> list[Setting]:
    """Every setting, section by section."""
    return [*_of_a_trial(), *(s for name in GROUPS for s in _of_a_group(name))]


def find_settings(word: str) -> list[Setting]:
    """The settings of a section, and those with a word in their names or descriptions.

    Args:
        word: Such as `search`, `lr`, `search.lr` or `skip`, in upper or lower case.
    Raises:
        SweepError: If no setting matches.
    """
    section, _, part = word.lower().rpartition(".")
    in_text = re.compile(rf"\b{re.escape(word)}", re.IGNORECASE)
    found = [
        setting
        for setting in all_settings()
        if (part in setting.name.rpartition(".")[2] and section in ("", setting.section))
        or word.lower() == setting.section
        or in_text.search(setting.description)
    ]
    if not found:
        raise SweepError(
            f"no setting has {word!r} in its name or its description; `fairdarts sweep settings` "
            "lists them all."
        )
    return found


def _of_a_trial() -> Iterator[Setting]:
    yield Setting(
        "method",
        "Search method: a named set of settings (docs/sweeps.md).",
        {"type": "string", "enum": list(METHODS)},
        default="fairdarts",
    )
    seed = SECTIONS["search"].model_json_schema()["properties"]["seed"]
    yield Setting(
        "seed",
        "Seed of the search and of the retraining, at once.",
        {key: value for key, value in seed.items() if key not in _OURS},
        default=0,
    )


_OURS = ("title", "description", "default", "anyOf")
"""Keys of a JSON schema that `Setting` has fields of its own for, or does not need."""


def _of_a_group(group: str) -> Iterator[Setting]:
    table = GROUPS[group].model_json_schema()
    for name, described in table["properties"].items():
        if f"{group}.{name}" in GROUPS:
            continue
        # A setting that can be left out is described as "a value of this kind, or null".
        kinds = [kind for kind in described.get("anyOf", []) if kind != {"type": "null"}]
        allowed = {"oneOf": kinds} if len(kinds) > 1 else dict(*kinds)
        yield Setting(
            f"{group}.{name}",
            " ".join(described["description"].split()),
            {k: v for k, v in (described | allowed).items() if k not in _OURS},
            default=described.get("default"),
            required=name in table.get("required", ()),
            optional=bool(kinds),
            presets=_presets(group, name, described.get("default")),
        )


def _presets(group: str, name: str, default: Any) -> dict[str, dict[str, Any]]:
    recipes = {recipe: {"retrain": settings} for recipe, settings in RECIPES.items()}
    presets = {}
    for kind, registry in {"method": METHODS, "space": SPACE_SETTINGS, "recipe": recipes}.items():
        values = {entry: sections.get(group, {}).get(name) for entry, sections in registry.items()}
        presets[kind] = {e: value for e, value in values.items() if value not in (None, default)}
    return {kind: values for kind, values in presets.items() if values}
