"""The state of a stage, read from its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrate.stages.paths import StagePaths
from orchestrate.statuses import Outcome, Status
from results.statuses import FailureKind
from results.store.attempt_files import failure_of
from results.store.files import parsed
from results.store.holder import hold_on
from results.store.manifest import SealedStage

CONTINUES = (FailureKind.DISK_FULL, FailureKind.STOPPED, FailureKind.STALLED)
"""Kinds of ends that are not the stage's own fault: it is lost, and continues with the next run."""
NO_ATTEMPT = (FailureKind.WRONG_IMAGES, *CONTINUES)
"""Kinds that do not use up an attempt. Of wrong images: another try would not help, but the right
images do."""


@dataclass(frozen=True)
class StageState:
    """What the files of a stage say about it. It is stored nowhere else."""

    status: Status
    """Any but `INVALID`: an invalid genotype is an outcome of a stage that is done."""
    attempt: int
    """Number of the newest attempt, 0 if there is none."""
    num_failures: int
    """How many attempts failed, apart from those of the kinds in `NO_ATTEMPT`."""
    holder: str = ""
    """The process that computes it, such as "node7 pid 4242"."""
    silent_s: float = 0.0
    """For how long that process has shown no sign of life."""
    outcome: str = ""
    """Of a stage that is done: ok or invalid, see `Outcome`."""
    reason: str = ""
    """Why it is invalid, failed or lost, or why no process could be started for it, in one line; ""
    if nothing is known."""
    starts_again: bool = False
    """Whether it is lost for a reason for which a run starts it again by itself."""
    folder: str | None = None
    """The folder of the stage; None: it has none."""
    failure_kind: str = ""
    """How the newest attempt ended, if it said so; see `FailureKind`."""

    @property
    def log(self) -> Path | None:
        """Log of the newest attempt."""
        if self.folder is None or not self.attempt:
            return None
        return StagePaths(Path(self.folder)).attempt(self.attempt).log


def stage_state(stage_dir: Path) -> StageState:
    """The state of the stage in that folder."""
    paths, name = StagePaths(stage_dir), str(stage_dir)
    if (sealed := paths.sealed()) is not None:
        return sealed_state(name, sealed)
    if not stage_dir.exists():  # Thousands may not have begun: look at one thing only.
        return StageState(Status.PENDING, 0, 0)
    numbers = paths.attempt_numbers()
    newest = max(numbers, default=0)
    done = done_of(paths)
    # If the mark is damaged or its rows are gone, the stage is not done: the next attempt continues
    # from the last checkpoint and writes both again.
    if done is not None and paths.has_rows(done.attempt):
        return StageState(
            Status.DONE, newest, 0, outcome=done.outcome, reason=done.reason, folder=name
        )
    if not newest:
        return StageState(Status.PENDING, 0, 0, reason=_why_given_up(paths, newest))
    failures = [f for n in numbers if (f := failure_of(paths.attempt(n))) is not None]
    num_failures = sum(f.kind not in NO_ATTEMPT for f in failures)
    last = failures[-1] if failures and failures[-1].attempt == newest else None
    if last is not None:
        status = Status.LOST if last.kind in CONTINUES else Status.FAILED
        return StageState(
            status,
            newest,
            num_failures,
            reason=last.text,
            starts_again=last.kind == FailureKind.STALLED,
            folder=name,
            failure_kind=last.kind,
        )
    hold = hold_on(paths.attempt(newest))
    if hold and hold.is_alive:
        return StageState(
            Status.RUNNING,
            newest,
            num_failures,
            hold.name,
            silent_s=hold.silent_s,
            folder=name,
        )
    if hold:
        reason = f"no sign of life of {hold.name} for {hold.silent_s:.0f} s"
        return StageState(
            Status.LOST, newest, num_failures, reason=reason, starts_again=True, folder=name
        )
    reason = _why_given_up(paths, newest) or _why_undone(paths)
    return StageState(Status.LOST, newest, num_failures, reason=reason, folder=name)


def sealed_state(folder: str, sealed: SealedStage) -> StageState:
    """The state of a stage whose rows are sealed, without looking at its folder."""
    return StageState(
        Status.DONE,
        sealed.attempt,
        num_failures=0,
        outcome=Outcome.OK if sealed.invalid is None else Outcome.INVALID,
        reason=sealed.invalid or "",
        folder=folder,
    )


@dataclass(frozen=True)
class Done:
    """The content of a DONE.json."""

    attempt: int
    outcome: Outcome
    reason: str

    @classmethod
    def of(cls, mark: Any) -> "Done":
        """Raises what it raises where the content is damaged, see `parsed`."""
        return cls(int(mark["attempt"]), Outcome(mark["outcome"]), str(mark["reason"]))


def done_of(paths: StagePaths) -> Done | None:
    """The mark that a stage is done; None if there is none, or it is damaged or deleted."""
    done = parsed(paths.done, Done.of)
    return done if done is not None and done.attempt > paths.deleted_attempt() else None


def _why_undone(paths: StagePaths) -> str:
    """Why a stage with a mark does not count as done; "" if it has no mark."""
    if not paths.done.exists():
        return ""
    return (
        f"it was done, but {paths.done} is damaged, or rows of its tables are missing or damaged "
        "(`fairdarts store check` names them)"
    )


def _why_given_up(paths: StagePaths, newest: int) -> str:
    """Why a run stopped trying after that many attempts; "" if none did."""
    mark = parsed(paths.given_up, lambda mark: (int(mark["attempt"]), str(mark["reason"])))
    return mark[1] if mark is not None and mark[0] == newest else ""
