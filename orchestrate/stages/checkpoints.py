"""Checkpoints of a stage on disk: whole, with their sha256 beside them, the last two kept."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrate.stages.lease import Attempt
from orchestrate.stages.paths import StagePaths
from results.errors import ResultsError
from results.store.files import read_json, write_json, write_whole

KEEP = 2


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint."""

    epoch: int
    """Finished epochs."""
    content: bytes
    bitwise_key: str
    """What a resumed run must share to stay bit for bit the same."""


def save_checkpoint(attempt: Attempt, epoch: int, content: bytes, bitwise_key: str) -> None:
    """Commit the state after `epoch` epochs and drop all but the last two.

    The record beside the content is written last: without it a checkpoint does not exist.
    """
    path = attempt.stage.checkpoint(attempt.number, epoch)
    attempt.check()
    write_whole(path, content)
    record = {
        "epoch": epoch,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bitwise_key": bitwise_key,
    }
    write_json(path.with_suffix(".json"), record)
    for record_path in attempt.stage.checkpoint_records()[KEEP:]:
        record_path.with_suffix(".safetensors").unlink(missing_ok=True)
        record_path.unlink(missing_ok=True)


def load_checkpoint(stage_dir: Path, log: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint of a stage whose content is what was written.

    Damaged ones are named to `log` and passed over; nothing unverified is parsed.
    """
    for record_path in StagePaths(stage_dir).checkpoint_records():
        content_path = record_path.with_suffix(".safetensors")
        try:
            record = read_json(record_path)
            content = content_path.read_bytes()
            intact = hashlib.sha256(content).hexdigest() == record["sha256"]
            checkpoint = Checkpoint(record["epoch"], content, record["bitwise_key"])
        except (OSError, KeyError, TypeError, ResultsError) as error:
            log(f"checkpoint {record_path.name} cannot be read ({error}): passed over")
            continue
        if intact:
            return checkpoint
        log(f"checkpoint {content_path.name} does not match its sha256: passed over")
    return None
