"""The trials of a plan as text: what the trials of a group have in common stands there once.

With all settings of each trial, a plan of ten thousand would have 41 MB, and every command reads
it. A group and a trial are a line each:

    {"group_label": "darts", "method": "darts", ..., "stages": [{"kind": "search", "config": ...
    {"group": 0, "label": "darts seed=1", "keys": [...], "seeds": {"search": {"seed": 1}, ...
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from orchestrate.planning.identity import seeds_of, with_seeds
from orchestrate.planning.trial_specs import Group, StageSpec, TrialSpec
from results.store.files import CHECKSUM, checksum


def plan_text(header: dict[str, Any], trials: Sequence[TrialSpec]) -> str:
    """A plan as JSON.

    Args:
        header: What else is in it.
        trials: Its trials.
    """
    groups: list[dict[str, Any]] = []
    numbers: dict[str, list[int]] = {}  # by id, which other settings can share: see NOT_IN_KEY
    rows = []
    for trial in trials:
        common = _common(trial)
        alike = numbers.setdefault(trial.group_id, [])
        number = next((one for one in alike if groups[one] == common), None)
        if number is None:
            number = len(groups)
            alike.append(number)
            groups.append(common)
        seeds = {stage.kind: seeds_of(stage.kind, stage.config) for stage in trial.stages}
        rows.append(
            {
                "group": number,
                "label": trial.label,
                "keys": [stage.key for stage in trial.stages],
                "seeds": {kind: some for kind, some in seeds.items() if some},
            }
        )
    whole = json.loads(json.dumps({**header, "groups": groups, "trials": rows}))
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in header.items()]
    parts += [f'"groups": {_lines(groups)}', f'"trials": {_lines(rows)}']
    parts += [f"{json.dumps(CHECKSUM)}: {json.dumps(checksum(whole))}"]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def trials_of(plan: dict[str, Any]) -> list[TrialSpec]:
    """The trials of a plan that was read from JSON.

    Raises:
        KeyError, TypeError, IndexError: If it is not what `plan_text` made.
    """
    if "groups" not in plan:  # An older version wrote every trial with all of its settings.
        return [TrialSpec.from_dict(trial) for trial in plan["trials"]]
    groups = [_group(common) for common in plan["groups"]]
    return [
        groups[trial["group"]].trial(trial["label"], trial["seeds"], trial["keys"])
        for trial in plan["trials"]
    ]


def _common(trial: TrialSpec) -> dict[str, Any]:
    """What a trial shares with others of its group."""
    return {
        "group_label": trial.group_label,
        "group_id": trial.group_id,
        "method": trial.method,
        "dataset": trial.dataset,
        "recipe": trial.recipe,
        "stages": [{"kind": stage.kind, "config": _without_seeds(stage)} for stage in trial.stages],
    }


def _without_seeds(stage: StageSpec) -> dict[str, Any]:
    seeds = seeds_of(stage.kind, stage.config)
    return with_seeds(stage.kind, stage.config, dict.fromkeys(seeds)) if seeds else stage.config


def _group(common: dict[str, Any]) -> Group:
    stages = [{**stage, "key": "", "parent": None} for stage in common["stages"]]
    return Group(TrialSpec.from_dict({**common, "label": "", "stages": stages}))


def _lines(values: Iterable[dict[str, Any]]) -> str:
    return "[\n" + ",\n".join(json.dumps(value) for value in values) + "\n]"
