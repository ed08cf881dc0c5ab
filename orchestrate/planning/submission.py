"""Submissions: the plans of a sweep, written to the store before the first trial starts.

`sweeps/<name>/0001.json` has every trial of one submission and is never rewritten. Submitting an
unchanged plan again writes nothing. The same trials are rows of the table `trials`. Every report
counts against them, so a trial that never ran is visible as missing.
"""

import contextlib
import json
import socket
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import psutil

from orchestrate.errors import SweepError
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.plan_file import plan_text, trials_of
from orchestrate.planning.resources import Resources
from results.store.files import claim_whole, parsed
from results.store.layout import plan_name
from results.store.store import Store


@dataclass(frozen=True)
class Origin:
    """How a plan came about, for people; nothing is computed from it."""

    command: str = ""
    """The command line that submitted it."""
    sweep_file: str = ""
    """Text of the sweep file, as it was then."""


@dataclass(frozen=True)
class Submission:
    """A plan as it was submitted."""

    sweep: str
    number: int
    trials: list[TrialSpec]
    resources: Resources
    planned_at: str
    origin: Origin


def submit(
    store: Store,
    sweep: str,
    trials: list[TrialSpec],
    resources: Resources,
    origin: Origin = Origin(),
) -> Submission:
    """Write a plan to the store, unless the newest submission of the sweep is the same plan."""
    newest = newest_number(store, sweep)
    if newest:
        previous = stored_submission(store, sweep, newest)
        if previous and (previous.trials, previous.resources) == (trials, resources):
            write_trials(store, previous)
            return previous
    planned_at = datetime.now(UTC).isoformat()
    submission = Submission(sweep, next_number(store, sweep), trials, resources, planned_at, origin)
    while not write_plan(store, submission):  # Another process submitted a moment ago.
        submission = replace(submission, number=submission.number + 1)
    write_trials(store, submission)
    return submission


def write_plan(store: Store, submission: Submission) -> bool:
    """Write the plan of a submission, unless there is already one with its number.

    Returns:
        Whether it was written.
    """
    header = {
        "planned_at": submission.planned_at,
        "user": psutil.Process().username(),
        "host": socket.gethostname(),
        **asdict(submission.origin),
        "resources": submission.resources.model_dump(),
    }
    text = plan_text(header, submission.trials)
    path = store.submission_path(submission.sweep, submission.number)
    return claim_whole(path, text.encode())


def load_submission(store: Store, sweep: str, number: int | None = None) -> Submission:
    """A submission of a sweep.

    Args:
        store: Where it was submitted.
        sweep: Name of the sweep.
        number: Of the submission; None: the newest.
    Raises:
        SweepError: If the store has no sweep with that name, or its plan is damaged.
    """
    number = number or newest_number(store, sweep)
    if not number:
        known = ", ".join(store.sweep_names()) or "none"
        raise SweepError(
            f"no sweep {sweep!r} was run in {store.root} (there: {known}): name one of them, or "
            "run it first with `fairdarts sweep run`."
        )
    submission = stored_submission(store, sweep, number)
    if submission is None:
        raise SweepError(
            f"{store.submission_path(sweep, number)} is missing or damaged: `fairdarts store "
            "check --repair` restores it from the table `trials`."
        )
    return submission


def newest_number(store: Store, sweep: str) -> int:
    """Number of a sweep's newest submission, 0 if it has none."""
    return max(store.submission_numbers(sweep), default=0)


def next_number(store: Store, sweep: str) -> int:
    """Number for the next submission of a sweep. Those of deleted ones are not used again."""
    deleted = store.manifest().deleted.sweeps.get(sweep, ())
    return max((*store.submission_numbers(sweep), *deleted), default=0) + 1


def stored_submission(store: Store, sweep: str, number: int) -> Submission | None:
    """One submission of a sweep; None if its plan is missing or damaged."""
    path = store.submission_path(sweep, number)
    return parsed(path, lambda plan: submission_of(sweep, number, plan))


def submission_of(sweep: str, number: int, plan: dict[str, Any]) -> Submission:
    """The submission that the content of a plan's file describes.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: If it has another form.
    """
    return Submission(
        sweep,
        number,
        trials_of(plan),
        Resources.build(plan["resources"], "resources"),
        plan["planned_at"],
        Origin(**{name: plan.get(name, "") for name in Origin.__dataclass_fields__}),
    )


def write_trials(store: Store, submission: Submission) -> None:
    """Write the rows of a plan, unless they are there.

    They are missing if a process died after it wrote the plan and before it wrote its rows.
    """
    name = plan_name(submission.sweep, submission.number)
    if store.live_path("trials", name).exists():
        return
    store.write_rows("trials", name, trial_rows(submission))


def trial_rows(submission: Submission) -> list[dict[str, Any]]:
    """The rows of a plan in the table `trials`."""
    own = {
        "sweep": submission.sweep,
        "submission": submission.number,
        "planned_at": datetime.fromisoformat(submission.planned_at),
    }
    return [own | trial_row(trial) for trial in submission.trials]


def trial_row(trial: TrialSpec) -> dict[str, Any]:
    """The row of a trial in the table `trials`, without the columns of its submission."""
    search, sample = trial.stage("search"), trial.stage("sample", "given")
    derive, retrain = trial.stage("derive"), trial.stage("retrain")
    row: dict[str, Any] = {
        "trial_id": trial.trial_id,
        "label": trial.label,
        "group_id": trial.group_id,
        "group_label": trial.group_label,
        "method": trial.method,
        "dataset": trial.dataset,
        "config_json": json.dumps([vars(stage) for stage in trial.stages]),
        "search_key": search and search.key,
        "sample_key": sample and sample.key,
        "derive_key": derive and derive.key,
        "retrain_key": retrain and retrain.key,
    }
    if search:
        config = search.config["search"]
        row |= {
            "space": config["space"],
            "zero_one_weight": config["zero_one_weight"],
            "search_seed": config["seed"],
        }
    if sample and sample.kind == "sample":
        row |= {
            "space": sample.config["space"],
            "sample_seed": sample.config["seed"],
            "sample_index": sample.config["index"],
        }
    if retrain:
        row |= {"recipe": trial.recipe, "retrain_seed": retrain.config["retrain"]["seed"]}
    return row


def trial_of_row(row: dict[str, Any]) -> TrialSpec:
    """The inverse of `trial_row`.

    Raises:
        SweepError: If another program wrote the row, without the settings of the trial's stages.
    """
    names = ("label", "group_label", "group_id", "method", "dataset")
    values = {name: row[name] for name in names} | {"recipe": row["recipe"] or ""}
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):
        trial = TrialSpec.from_dict(values | {"stages": json.loads(row["config_json"])})
        if trial.trial_id == row["trial_id"]:
            return trial
    raise SweepError(
        f"trial {row['trial_id']} of {row['sweep']} has no settings of its stages in the table "
        "trials (column config_json), so only verbs of `fairdarts results` can show it."
    )
