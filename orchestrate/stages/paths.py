"""Every path in the folder of a stage.

```
stages/<kind>/<k2>/<key>/
  SPEC.json                 what the stage computes
  attempts/a0001/           one folder for each attempt
    LEASE.json              the process that made it
    heartbeat               touched while that process lives; renamed to RELEASED when it gives the
                            stage back
    log.txt                 what happened
    uncommitted.diff        how the code differed from its last commit, where it did
    FAILED.json             why it failed; only if it did
  checkpoints/              the last states, each with its sha256 and the rows up to it
  WAITS_FOR.json            the stage whose rows this one will copy, see `twins`
  GAVE_UP.json              why a run stopped trying, where its process could not say it
  DONE.json                 the stage is complete
```
"""

from dataclasses import dataclass
from pathlib import Path

from results.store.attempt_files import AttemptPaths
from results.store.layout import STAGE_KINDS
from results.store.manifest import SealedStage
from results.store.store import Store

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class StagePaths:
    """The files of one stage; see `results.store.store.Store.stage_dir` for its folder."""

    folder: Path

    @property
    def spec(self) -> Path:
        """What the stage computes."""
        return self.folder / "SPEC.json"

    @property
    def done(self) -> Path:
        """Says that the stage is complete; written last."""
        return self.folder / "DONE.json"

    @property
    def waits_for(self) -> Path:
        """The stage whose rows this one will copy."""
        return self.folder / "WAITS_FOR.json"

    @property
    def given_up(self) -> Path:
        """Why a run stopped trying to compute the stage, though no attempt failed."""
        return self.folder / "GAVE_UP.json"

    @property
    def attempts(self) -> Path:
        """A folder for each attempt."""
        return self.folder / "attempts"

    @property
    def checkpoints(self) -> Path:
        """The last states."""
        return self.folder / CHECKPOINTS

    def attempt(self, number: int) -> AttemptPaths:
        """The files of the attempt of that number, from 1."""
        return AttemptPaths.of(self.folder, number)

    def attempt_numbers(self) -> list[int]:
        """Numbers of the attempts so far that are not deleted, ascending."""
        try:
            names = [path.name for path in self.attempts.iterdir()]
        except FileNotFoundError:
            return []
        numbers = [int(name[1:]) for name in names if name[0] == "a" and name[1:].isdigit()]
        deleted = self.deleted_attempt() if numbers else 0
        return sorted(number for number in numbers if number > deleted)

    def deleted_attempt(self) -> int:
        """Number of the last attempt that is deleted, 0 if none is; see `manifest.Deleted`."""
        if self.folder.parents[1].name not in STAGE_KINDS:
            return 0
        return Store(self.folder.parents[3]).manifest().deleted.attempt(self.folder.name)

    def checkpoint(self, attempt: int, epoch: int) -> Path:
        """The state that an attempt saved after that many epochs."""
        # The attempt comes first in the name, so that names sort by age: an attempt that starts
        # over has fewer epochs than the older one, but newer checkpoints.
        return self.checkpoints / f"a{attempt:04d}-e{epoch:06d}.safetensors"

    def has_rows(self, attempt: int) -> bool:
        """Whether the tables still have the rows of that attempt; see `Store.has_rows`."""
        kind, key = self.folder.parents[1].name, self.folder.name
        return kind not in STAGE_KINDS or Store(self.folder.parents[3]).has_rows(kind, key, attempt)

    def sealed(self) -> SealedStage | None:
        """What the store has sealed of the stage; None: nothing, so its own files count."""
        if self.folder.parents[1].name not in STAGE_KINDS:
            return None
        return Store(self.folder.parents[3]).manifest().stages.get(self.folder.name)

    def checkpoint_records(self) -> list[Path]:
        """The record beside each checkpoint, newest first; none of an attempt that is deleted."""
        records = sorted(self.checkpoints.glob("a*.json"), reverse=True)
        deleted = self.deleted_attempt() if records else 0
        return [path for path in records if not deleted or attempt_of(path) > deleted]

    def leftovers(self) -> list[Path]:
        """Temporary files that killed attempts have left."""
        # Those inside `.claim-*` stay: another process may be taking the stage right now.
        patterns = (".*.tmp", "checkpoints/.*.tmp", "attempts/a*/.*.tmp")
        return [path for pattern in patterns for path in self.folder.glob(pattern)]


def attempt_of(path: Path) -> int:
    """Number of the attempt that wrote a file of a checkpoint; 0 if the name has another form."""
    number = path.name[1:].partition("-")[0].partition(".")[0]
    return int(number) if number.isdigit() else 0
