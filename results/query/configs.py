"""The settings of a trial, which the plan keeps as JSON in `trials.config_json`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

Stage = Mapping[str, Any]
"""The settings of one stage: `kind`, and `config` with a section for each part of them."""


def stages_of(config_json: str | None) -> list[Stage]:
    """The stages of a trial with their settings.

    Args:
        config_json: `trials.config_json`.
    Returns:
        The stages in the order in which they run; none, if nothing was kept, or if another program
        has kept it in a form that is not known here: the other columns still tell enough.
    """
    try:
        stages = json.loads(config_json or "[]")
    except ValueError:
        return []
    if not isinstance(stages, list) or not all(map(_is_stage, stages)):
        return []
    return stages


def _is_stage(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("kind"), str)
        and isinstance(value.get("config"), dict)
    )


def searched(stages: Sequence[Stage]) -> Mapping[str, Any] | None:
    """The settings of a search's own section; None: there is no search, or no known setting."""
    for stage in stages:
        if stage["kind"] == "search":
            search = stage["config"].get("search")
            return search if isinstance(search, dict) and "space" in search else None
    return None
