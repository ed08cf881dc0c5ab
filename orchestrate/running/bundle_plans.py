"""The plans of an exported sweep, checked before anything uses them."""

from dataclasses import asdict
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from fairdarts.errors import FairDartsError
from orchestrate.errors import OrchestrateError
from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.planning.settings import SECTIONS
from orchestrate.planning.submission import Submission, submission_of, trial_rows
from orchestrate.running.bundle import SUBMISSIONS, Bundle, damaged
from results.errors import ResultsError
from results.store.codec import encode
from results.store.layout import PLAN_TABLE, check_key, check_kind

_TRIALS = TypeAdapter(list[TrialSpec])
_UNUSABLE = (
    ValidationError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
    OverflowError,
    FairDartsError,
    OrchestrateError,
    ResultsError,
)


def submissions_of(
    bundle: Bundle, sweep: str
) -> tuple[tuple[Submission, ...], dict[str, StageSpec]]:
    """The submissions of a sweep, numbered from 1, and all of its stages by key.

    Args:
        bundle: The exported sweep.
        sweep: The name that it gets.
    Raises:
        SweepError: If a plan has not the form or the values that a plan has.
    """
    stages: dict[str, StageSpec] = {}
    submissions = []
    for number, plan in enumerate(bundle.submissions, 1):
        try:
            submission = submission_of(sweep, number, plan)
            _check_submission(submission)
            for trial in submission.trials:
                for stage in trial.stages:
                    _add(stage, stages)
        except _UNUSABLE as error:
            reason = f"its plan {number} cannot be used: {type(error).__name__}, {error}"
            raise damaged(bundle, SUBMISSIONS, " ".join(reason.split())[:200]) from None
        submissions.append(submission)
    if not submissions:
        raise damaged(bundle, SUBMISSIONS, "it has no plan")
    return tuple(submissions), stages


def _check_submission(submission: Submission) -> None:
    _TRIALS.validate_python([asdict(trial) for trial in submission.trials])
    if not all(trial.stages for trial in submission.trials):
        raise ValueError("a trial has no stage")
    if datetime.fromisoformat(submission.planned_at).tzinfo is None:
        raise ValueError("planned_at has no time zone")
    encode(PLAN_TABLE, trial_rows(submission))


def _add(stage: StageSpec, stages: dict[str, StageSpec]) -> None:
    known = stages.setdefault(stage.key, stage)
    if known is not stage:
        if known != stage:
            raise ValueError(f"there are two stages {stage.key}")
        return
    check_key(stage.key)
    check_kind(stage.kind)
    if stage.parent is not None:
        check_key(stage.parent)
    if stage.kind in ("search", "retrain"):
        for section in (stage.kind, "data"):
            # Fingerprints are no setting, and older versions had settings that are gone.
            known = SECTIONS[section].model_fields.keys() & stage.config[section].keys()
            SECTIONS[section].build({name: stage.config[section][name] for name in known}, section)
