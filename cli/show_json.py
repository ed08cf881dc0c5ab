"""JSON documents of `show`, `search` and `retrain`."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cli.sweep_json import status_document, trial_document

if TYPE_CHECKING:
    from orchestrate.planning.plan import StageSpec, TrialSpec
    from orchestrate.running.lookup import PlannedTrial
    from orchestrate.running.status import TrialStatus
    from results.store.store import Store

Document = dict[str, Any]
RESULTS = ("genotype", "arch_top1_pct", "test_top1_pct", "params", "multadds")


def document(store: "Store", what: str, id_: str, planned: "dict[str, PlannedTrial]") -> Document:
    """Describe what an id names.

    Args:
        store: Where it is.
        what: `sweep`, `trial`, `group`, or another word for a stage.
        id_: The whole id, or the name of a sweep.
        planned: What `planned_trials` returns for the id.
    """
    from orchestrate.running.status import trial_status

    trials = [known.trial for known in planned.values()]
    if what == "sweep":
        return {"what": what} | _sweep(store, id_)
    if what == "group":
        return {"what": what} | _group(store, id_, trials)
    if what == "trial":
        status = trial_status(store, planned[id_].trial)
        return {"what": what, "sweeps": planned[id_].sweeps} | whole_trial(store, status)
    return {"what": "stage"} | _used_stage(store, id_, trials)


def _sweep(store: "Store", name: str) -> Document:
    from orchestrate.planning.submission import load_submission
    from orchestrate.running.status import sweep_status

    submission = load_submission(store, name)
    return status_document(store, submission, sweep_status(store, submission.trials)) | {
        "command": submission.origin.command or None,
        "folder": str(store.sweep_dir(name)),
    }


def _group(store: "Store", id_: str, trials: "Iterable[TrialSpec]") -> Document:
    from orchestrate.running.status import sweep_status

    members = [trial for trial in trials if trial.group_id == id_]
    documents = [trial_document(store, status) for status in sweep_status(store, members)]
    return {"group_id": id_, "group_label": members[0].group_label, "trials": documents}


def whole_trial(store: "Store", status: "TrialStatus") -> Document:
    """Describe a trial, its results and its stages."""
    stages = [_stage(store, stage) for stage in status.trial.stages]
    found = {name: value for stage in stages for name, value in stage.items() if value is not None}
    results = {name: found.get(name) for name in RESULTS}
    return trial_document(store, status) | results | {"stages": stages}


def _used_stage(store: "Store", id_: str, trials: "Iterable[TrialSpec]") -> Document:
    from orchestrate.running.lookup import stored_stage

    users = [(trial, stage) for trial in trials for stage in trial.stages if stage.key == id_]
    stage = users[0][1] if users else stored_stage(store, id_)
    return _stage(store, stage) | {"trials": [trial.trial_id for trial, _ in users]}


def _stage(store: "Store", stage: "StageSpec") -> Document:
    from orchestrate.running.lookup import changed_settings, stage_results, stage_status

    results = stage_results(store, stage)
    if "genotype_json" in results:
        results["genotype"] = json.loads(results["genotype_json"])
    return {
        "stage_key": stage.key,
        "kind": stage.kind,
        "status": stage_status(store, stage),
        "parent": stage.parent,
        "settings": changed_settings(stage),
        "folder": str(store.stage_dir(stage.kind, stage.key)),
    } | {name: results.get(name) for name in RESULTS}
