"""The status of every trial of a sweep, read from the files of the store, without Ray."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.stages.state import StageState
from orchestrate.stages.twins import state_of
from orchestrate.statuses import Outcome, Status
from results.errors import DamagedFile
from results.store.manifest import Manifest
from results.store.store import Store


@dataclass(frozen=True)
class TrialStatus:
    """How far a trial is in its chain of stages."""

    trial: TrialSpec
    status: Status
    stage: StageSpec
    """The first stage that is not done; of an invalid trial, the stage whose genotype is invalid;
    else the last one."""
    state: StageState
    """The state of that stage."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to compute."""
        return self.status in (Status.DONE, Status.INVALID)

    @property
    def started(self) -> bool:
        """Whether one of its stages is done, or a process has begun one."""
        return self.stage is not self.trial.stages[0] or self.status != Status.PENDING


@dataclass(frozen=True)
class Progress:
    """How far a stage is."""

    epochs_done: int
    num_epochs: int
    metric: str
    """Accuracy after the last epoch, such as "test 91.2%"; empty before the first."""
    left_s: float | None
    """Seconds left in this stage, if epochs go on at their mean pace so far; None before the
    first."""
    pace_s: float = 0.0
    """Mean seconds of an epoch so far."""
    idle_s: float | None = None
    """Seconds since the last epoch; None before the first."""


def trial_status(store: Store, trial: TrialSpec, manifest: Manifest | None = None) -> TrialStatus:
    """The status of one trial.

    Args:
        store: Where results are.
        trial: Which one.
        manifest: What is sealed, if the caller asks about many trials; None: read it.
    """
    known = (store.manifest() if manifest is None else manifest).stages
    *earlier, last = trial.stages
    unsealed = [stage for stage in earlier if stage.key not in known or known[stage.key].invalid]
    for stage in (*unsealed, last):
        state = state_of(stage, store, manifest)
        if state.status != Status.DONE:
            return TrialStatus(trial, state.status, stage, state)
        if state.outcome == Outcome.INVALID:
            return TrialStatus(trial, Status.INVALID, stage, state)
    return TrialStatus(trial, Status.DONE, stage, state)


def sweep_status(
    store: Store, trials: list[TrialSpec], finished: dict[str, TrialStatus] | None = None
) -> list[TrialStatus]:
    """The status of every trial, in the order of the plan.

    Args:
        store: Where results are.
        trials: The plan.
        finished: Statuses of trials that are known to be finished, by id. They are not read again,
            and the caller's dictionary gets those that have finished since: a live view asks
            every few seconds, and a large sweep has thousands of files.
    """
    known = {} if finished is None else finished
    sealed = store.manifest()
    statuses = [known.get(trial.trial_id) or trial_status(store, trial, sealed) for trial in trials]
    known.update((s.trial.trial_id, s) for s in statuses if s.finished)
    return statuses


def count(statuses: list[TrialStatus]) -> dict[Status, int]:
    """Number of trials by status, without the statuses that no trial has."""
    counter = Counter(status.status for status in statuses)
    return {status: counter[status] for status in Status if counter[status]}


def progress(store: Store, status: TrialStatus) -> Progress | None:
    """How far the current stage of a trial is; None if the stage has no epochs."""
    # Only the kinds with epochs, search and retrain, have a section of their own name.
    settings = status.stage.config.get(status.stage.kind)
    if settings is None:
        return None
    columns = ["epoch", "wall_s", "written_at", "arch_top1_pct", "test_top1_pct"]
    try:
        rows = store.read("epochs", [status.stage.key], columns).to_pylist()
    except DamagedFile:  # The stage's next attempt writes them again.
        rows = []
    num_epochs = settings["epochs"]
    if not rows:
        return Progress(0, num_epochs, "", None)
    last = max(rows, key=lambda row: row["epoch"])
    if last["test_top1_pct"] is not None:
        metric = f"test {last['test_top1_pct']:.1f}%"
    else:
        metric = f"alpha half {last['arch_top1_pct']:.1f}%"
    pace_s = sum(row["wall_s"] for row in rows) / len(rows)
    left_s = pace_s * (num_epochs - len(rows))
    written_at = last["written_at"]
    idle_s = written_at and (datetime.now(UTC) - written_at).total_seconds()
    return Progress(len(rows), num_epochs, metric, left_s, pace_s, idle_s)
