"""The state of a stage, read off its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrate.stages.holder import live_holder
from orchestrate.stages.paths import AttemptPaths, StagePaths
from orchestrate.statuses import Outcome, Status
from results.store.files import parsed

WRONG_IMAGES = "wrong_images"
"""The kind of a failure that is not counted: another try is not its remedy, but other images."""
DISK_FULL = "disk_full"
"""The kind of a failure that is none of the stage: once there is room, it simply continues."""


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed: the content of its FAILED.json."""

    attempt: int
    kind: str
    error_type: str
    message: str


@dataclass(frozen=True)
class StageState:
    """What the files of a stage say, never stored anywhere else."""

    status: Status
    """Every one but `INVALID`: that is an outcome of a stage that is done."""
    attempt: int
    """Number of the newest attempt, 0 if there is none."""
    num_failures: int
    """How many attempts failed by their own fault: not by wrong images or a full disk."""
    holder: str = ""
    """Who computes it, such as "node7 pid 4242"."""
    outcome: str = ""
    """Of a stage that is done: ok or invalid, see `Outcome`."""
    reason: str = ""
    """Why it is invalid, failed or lost, one line; nothing where its process is just gone."""
    log: Path | None = None
    """Log of the newest attempt."""


def stage_state(stage_dir: Path) -> StageState:
    """The state of the stage in that folder."""
    paths = StagePaths(stage_dir)
    numbers = paths.attempt_numbers()
    newest = max(numbers, default=0)
    log = paths.attempt(newest).log if newest else None
    done = parsed(paths.done, Done.of)
    # A mark that is damaged, or whose rows are gone, counts for nothing: the next attempt
    # continues from the last checkpoint and leaves both again.
    if done is not None and paths.has_rows(done.attempt):
        return StageState(Status.DONE, newest, 0, "", done.outcome, done.reason, log)
    if not newest:
        return StageState(Status.PENDING, 0, 0)
    failures = [f for n in numbers if (f := _failure(paths.attempt(n))) is not None]
    num_failures = sum(failure.kind not in (WRONG_IMAGES, DISK_FULL) for failure in failures)
    last = failures[-1] if failures and failures[-1].attempt == newest else None
    if last is not None:
        reason = f"{last.error_type}: {last.message}" if last.message else last.error_type
        status = Status.LOST if last.kind == DISK_FULL else Status.FAILED
        return StageState(status, newest, num_failures, reason=reason, log=log)
    holder = live_holder(paths.attempt(newest))
    status = Status.RUNNING if holder else Status.LOST
    return StageState(status, newest, num_failures, holder=holder, log=log)


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


def _failure(attempt: AttemptPaths) -> Failure | None:
    if not attempt.failed.exists():
        return None
    number = int(attempt.folder.name[1:])
    unreadable = Failure(number, "exception", "DamagedFile", f"{attempt.failed} is damaged")
    return parsed(attempt.failed, lambda mark: Failure(**mark)) or unreadable
