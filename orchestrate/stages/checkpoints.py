"""The checkpoint files of a stage. The last two are kept, each with its sha256 in a record."""

import hashlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrate.stages.lease import Attempt
from orchestrate.stages.paths import StagePaths
from results.errors import DamagedFile
from results.store.files import read_json, write_json, write_whole

KEEP = 2
ROWS = ".parquet"
LARGE_BYTES = 8_000_000
"""Writing less takes no time that matters, and a crash right after it then loses less."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose content has been compared with its sha256."""

    epoch: int
    """How many epochs are finished."""
    content: bytes
    bitwise_key: str
    """What a resumed run must have in common to stay bit for bit the same, see `Runtime`."""
    rows: Path
    """A copy of the rows of those epochs. An older version of the program wrote no such file."""


def save_checkpoint(
    attempt: Attempt, epoch: int, content: bytes, rows: bytes, bitwise_key: str
) -> None:
    """Write the state after `epoch` epochs, and delete all but the last two checkpoints.

    The record is written last and deleted last: a checkpoint without a record does not exist, so
    a crash in between leaves no half-written checkpoint.

    Args:
        attempt: The attempt that computed the epochs.
        epoch: How many epochs are finished.
        content: The state after them.
        rows: Content of the table's file with these epochs. It is the copy that is read if the
            table's own file is lost.
        bitwise_key: See `Runtime.bitwise_key`.
    """
    path = attempt.stage.checkpoint(attempt.number, epoch)
    attempt.check()
    write_whole(path, content)
    write_whole(path.with_suffix(ROWS), rows)
    record = {
        "epoch": epoch,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bitwise_key": bitwise_key,
    }
    write_json(path.with_suffix(".json"), record)
    for record_path in attempt.stage.checkpoint_records()[KEEP:]:
        record_path.with_suffix(".safetensors").unlink(missing_ok=True)
        record_path.with_suffix(ROWS).unlink(missing_ok=True)
        record_path.unlink(missing_ok=True)


class CheckpointWriter:
    """Writes the checkpoints of an attempt; large ones in a thread, while training goes on.

    One is written at a time. The content is already a copy of the state. Leaving the block waits
    for the last one.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._thread.shutdown()
        if error is None:
            self.wait()

    def wait(self) -> None:
        """Wait until everything is written.

        Raises:
            OSError: If it cannot be.
            Superseded: If a newer attempt has taken the stage over.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def save(self, epoch: int, content: bytes, rows: bytes, bitwise_key: str) -> None:
        """Write a checkpoint, see `save_checkpoint`; it may not be complete when this returns."""
        self.wait()
        checkpoint = self._attempt, epoch, content, rows, bitwise_key
        if len(content) < LARGE_BYTES:
            save_checkpoint(*checkpoint)
        else:
            self._writing = self._thread.submit(save_checkpoint, *checkpoint)


def load_checkpoint(stage_dir: Path, log: Callable[[str], None]) -> Checkpoint | None:
    """The newest intact checkpoint of a stage; None if there is none.

    Each damaged one is named to `log` and passed over. No content is parsed before its sha256 has
    been compared.
    """
    for record_path in StagePaths(stage_dir).checkpoint_records():
        try:
            return verified_checkpoint(record_path)
        except DamagedFile as error:
            log(f"{error}: passed over")
    return None


def verified_checkpoint(record_path: Path) -> Checkpoint:
    """The checkpoint that has this record.

    Raises:
        DamagedFile: If its content is not what was written, or the record itself is damaged.
    """
    content_path = record_path.with_suffix(".safetensors")
    try:
        record = read_json(record_path)
        content = content_path.read_bytes()
        intact = hashlib.sha256(content).hexdigest() == record["sha256"]
        rows = record_path.with_suffix(ROWS)
        checkpoint = Checkpoint(record["epoch"], content, record["bitwise_key"], rows)
    except (OSError, KeyError, TypeError, DamagedFile) as error:
        raise DamagedFile(f"checkpoint {record_path.name} cannot be read ({error})") from None
    if not intact:
        raise DamagedFile(f"checkpoint {content_path.name} does not match its sha256")
    return checkpoint
