"""JSON documents of `sweep plan`, `sweep status`, `sweep run` and `sweep resume`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orchestrate.statuses import Status

if TYPE_CHECKING:
    from orchestrate.planning.plan import TrialSpec
    from orchestrate.planning.submission import Submission
    from orchestrate.running.status import TrialStatus
    from orchestrate.running.stopping import RunEnd
    from results.store.store import Store


def plan_document(
    sweep: str,
    trials: "Sequence[TrialSpec]",
    statuses: "Sequence[TrialStatus | None]",
    here: dict[str, Any] | None,
) -> dict[str, Any]:
    """Describe the trials of a plan and their states.

    Args:
        sweep: Name of the sweep.
        trials: The plan.
        statuses: Status of each trial; None: there is no store yet, so nothing is computed.
        here: What stages get on this machine, by kind; None: they cannot run here.
    """
    planned = [_trial(trial, status) for trial, status in zip(trials, statuses, strict=True)]
    return {"sweep": sweep, "stages_on_this_machine": here, "trials": planned}


def status_document(
    store: "Store", submission: "Submission", statuses: "Sequence[TrialStatus]"
) -> dict[str, Any]:
    """Describe the trials of a submission, with progress and the reasons of failures."""
    from orchestrate.running.cost import sweep_cost

    return {
        "sweep": submission.sweep,
        "submission": submission.number,
        "planned_at": submission.planned_at,
        "cost": asdict(sweep_cost(store, submission.trials)),
        "trials": [trial_document(store, status) for status in statuses],
    }


def run_document(
    store: "Store", submission: "Submission", end: "RunEnd", code: int
) -> dict[str, Any]:
    """Describe the same at the end of a run, with its exit code and what the code means."""
    ended = {"exit_code": code, "outcome": end.outcome, "ended_early": end.early or None}
    return status_document(store, submission, end.statuses) | ended


def trial_document(store: "Store", status: "TrialStatus") -> dict[str, Any]:
    """Describe one submitted trial, with its progress and the reason of a failure."""
    return _trial(status.trial, status) | _course(store, status)


def _trial(trial: "TrialSpec", status: "TrialStatus | None") -> dict[str, Any]:
    """Columns of the table `trials`, the status, and the stage that is next or failed."""
    from orchestrate.planning.submission import trial_row
    from results.schema import TRIALS

    of_the_submission = ("sweep", "submission", "planned_at", "config_json")
    columns = [c.name for c in TRIALS.columns if c.name not in of_the_submission]
    row = trial_row(trial)
    return {name: row.get(name) for name in columns} | {
        "status": status.status if status else Status.PENDING,
        "stage": status.stage.kind if status else trial.stages[0].kind,
        "holder": (status.state.holder or None) if status else None,
    }


def _course(store: "Store", status: "TrialStatus") -> dict[str, Any]:
    from orchestrate.running.status import progress

    begun = status.status in (Status.RUNNING, Status.LOST, Status.FAILED)
    at = progress(store, status) if begun else None
    state = status.state
    return {
        "epochs_done": at and at.epochs_done,
        "num_epochs": at and at.num_epochs,
        "left_in_stage_s": at and at.left_s,
        "num_failures": state.num_failures,
        "reason": state.reason or None,
        "log": str(state.log) if state.log else None,
    }
