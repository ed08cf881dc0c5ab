"""The files of one attempt at a stage, which its process writes.

`orchestrate.stages.paths` has the other files of a stage.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from results.statuses import FailureKind
from results.store.files import parsed

_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?= )", re.MULTILINE)
"""How a line of the log begins, in UTC."""


@dataclass(frozen=True)
class AttemptPaths:
    """The files of one attempt."""

    folder: Path

    @classmethod
    def of(cls, stage_dir: Path, number: int) -> "AttemptPaths":
        """The files of the attempt of that number, from 1, at the stage in a folder."""
        return cls(stage_dir / "attempts" / f"a{number:04d}")

    @property
    def lease(self) -> Path:
        """Who made the attempt: host, process, start time."""
        return self.folder / "LEASE.json"

    @property
    def heartbeat(self) -> Path:
        """Touched while the holder lives."""
        return self.folder / "heartbeat"

    @property
    def released(self) -> Path:
        """The heartbeat, once its holder has given the stage back."""
        return self.folder / "RELEASED"

    @property
    def log(self) -> Path:
        """What happened, line by line."""
        return self.folder / "log.txt"

    @property
    def changes(self) -> Path:
        """How the code differed from its last commit, as `git diff` prints it; else no file."""
        return self.folder / "uncommitted.diff"

    @property
    def failed(self) -> Path:
        """Why the attempt failed."""
        return self.folder / "FAILED.json"

    def last_sign_of_life(self, started_at: datetime) -> datetime:
        """When its process last wrote to these files, or `started_at` if it has left none.

        Args:
            started_at: When the attempt started.
        """
        written_s = []
        for path in (self.lease, self.heartbeat, self.released, self.log):
            with suppress(FileNotFoundError):
                written_s.append(path.stat().st_mtime)
        # Only differences count, as the clock of a file system may be wrong. There are none if the
        # files were copied and are as old as their copies: then the log knows more.
        beaten = timedelta(seconds=max(written_s, default=0) - min(written_s, default=0))
        return max([started_at + beaten, *self.logged()[-1:]])

    def logged(self) -> list[datetime]:
        """The times of the lines of the log, as its process knew them."""
        with suppress(FileNotFoundError, ValueError):
            stamps = _STAMP.findall(self.log.read_text("utf-8", errors="replace"))
            return [datetime.fromisoformat(stamp).replace(tzinfo=UTC) for stamp in stamps]
        return []


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed: the content of its FAILED.json."""

    attempt: int
    kind: str
    error_type: str
    message: str

    @property
    def text(self) -> str:
        """The failure in one line."""
        return f"{self.error_type}: {self.message}" if self.message else self.error_type


def failure_of(attempt: AttemptPaths) -> Failure | None:
    """Why an attempt failed; None if it did not."""
    if not attempt.failed.exists():
        return None
    number = int(attempt.folder.name[1:])
    unreadable = Failure(
        number, FailureKind.EXCEPTION, "DamagedFile", f"{attempt.failed} is damaged"
    )
    return parsed(attempt.failed, lambda mark: Failure(**mark)) or unreadable
