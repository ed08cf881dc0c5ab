"""What becomes of the trials that a sweep has planned before, when it is run with another plan.

A plan may grow: more seeds are added and nothing is hidden. A plan with some of the trials, such as
fewer seeds, runs these and leaves the plan of the sweep as it is. A plan that lacks some trials and
has new ones may be another sweep that happens to have the same name, so it is refused until the
user chooses.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrate.errors import SweepError
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import (
    Origin,
    Submission,
    newest_number,
    stored_submission,
    submit,
)
from orchestrate.statuses import Earlier
from results.store.store import Store


@dataclass(frozen=True)
class Compared:
    """A plan beside that of the newest submission of its sweep."""

    others: tuple[TrialSpec, ...]
    """Trials of the newest submission that the plan has not, in their order."""
    num_new: int
    """Trials of the plan that the newest submission has not."""

    @property
    def is_part(self) -> bool:
        """Whether the plan has some of the trials and no other."""
        return bool(self.others) and not self.num_new


def compared(store: Store, sweep: str, trials: list[TrialSpec]) -> Compared:
    """Compare a plan with the newest submission of its sweep.

    A trial with the same settings is the same trial, although it has another key if its images, or
    how this version computes a stage, have changed since.
    """
    number = newest_number(store, sweep)
    previous = stored_submission(store, sweep, number) if number else None
    if previous is None:  # There is none, or it is damaged and will be written anew.
        return Compared((), len(trials))
    known = {trial.trial_id for trial in previous.trials}
    ids = {trial.trial_id for trial in trials}
    gone = [trial for trial in previous.trials if trial.trial_id not in ids]
    settings = set(map(_settings, trials)) if gone else set()
    others = tuple(trial for trial in gone if _settings(trial) not in settings)
    return Compared(others, len(ids - known))


def submit_beside(
    store: Store,
    sweep: str,
    trials: list[TrialSpec],
    resources: Resources,
    origin: Origin,
    earlier: Earlier | None = None,
) -> Submission:
    """Submit a plan so that no earlier trial is hidden, unless the user wants that.

    Args:
        store: Where to.
        sweep: Name of the sweep.
        trials: The plan.
        resources: What its trials get.
        origin: How it came about.
        earlier: What to do with trials that the plan has not; None: refuse, if it has new ones.
    Returns:
        The submission with the trials to run, which are those of the plan.
    Raises:
        SweepError: If the user has to choose.
    """
    beside = compared(store, sweep, trials)
    if not beside.others or earlier is Earlier.REPLACE:
        return submit(store, sweep, trials, resources, origin)
    if beside.is_part:
        previous = stored_submission(store, sweep, newest_number(store, sweep))
        whole = previous.trials if previous else trials
        return replace(submit(store, sweep, whole, resources, origin), trials=trials)
    if earlier is Earlier.KEEP:
        whole = [*trials, *beside.others]
        return replace(submit(store, sweep, whole, resources, origin), trials=trials)
    raise SweepError(
        f"{len(beside.others)} of the trials that {sweep!r} has in {store.root} are not in this "
        f"plan, and {beside.num_new} of this plan are new. If it is another sweep, give it another "
        "`name`; else choose --earlier keep (both are its plan) or --earlier replace (tables leave "
        "the earlier ones out, nothing is deleted)."
    )


def _settings(trial: TrialSpec) -> str:
    """The settings of a trial, without what identifies its images."""
    return json.dumps([(stage.kind, _plain(stage.config)) for stage in trial.stages])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        parts: Iterable[tuple[Any, Any]] = sorted(value.items())
        return {name: _plain(part) for name, part in parts if name != "fingerprints"}
    return value
