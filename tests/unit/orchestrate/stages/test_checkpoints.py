import errno
import json
import os
import threading
from pathlib import Path

import pytest

from orchestrate.errors import Superseded
from orchestrate.stages.checkpoints import (
    LARGE_BYTES,
    Checkpoint,
    CheckpointWriter,
    load_checkpoint,
    save_checkpoint,
)
from orchestrate.stages.lease import Attempt

LARGE = bytes(LARGE_BYTES)
KEY = "torch 2, cpu, 1 threads"


def content(epoch: int) -> bytes:
    return f"state after {epoch} epochs".encode() * 50


def rows(epoch: int) -> bytes:
    return f"rows of {epoch} epochs".encode()


def attempt_at(stage_dir: Path, *epochs: int) -> Attempt:
    """The next attempt, which has saved these epochs."""
    attempt = Attempt.take(stage_dir)
    for epoch in epochs:
        save_checkpoint(attempt, epoch, content(epoch), rows(epoch), KEY)
    return attempt


def next_attempt(stage_dir: Path, *epochs: int) -> Attempt:
    """The same, after which its process is gone."""
    attempt = attempt_at(stage_dir, *epochs)
    attempt.release()
    return attempt


def files(stage_dir: Path, suffix: str) -> list[Path]:
    """Newest last."""
    paths = (stage_dir / "checkpoints").glob(f"*{suffix}")
    return sorted(paths, key=lambda path: path.stat().st_mtime_ns)


def loaded_epoch(attempt: Attempt) -> int | None:
    found = load_checkpoint(attempt.stage.folder, attempt.log)
    return found.epoch if found else None


def test_without_a_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(Attempt.take(tmp_path).stage.folder, print) is None


def test_the_newest_checkpoint_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    next_attempt(tmp_path, 1, 2, 3)
    found = load_checkpoint(Attempt.take(tmp_path).stage.folder, print)
    assert found == Checkpoint(3, content(3), KEY, *files(tmp_path, ".parquet")[-1:])
    assert found.rows.read_bytes() == rows(3)


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    attempt_at(tmp_path, 9, 10, 11)
    assert [path.read_bytes() for path in files(tmp_path, ".safetensors")] == [
        content(10),
        content(11),
    ]
    assert [path.read_bytes() for path in files(tmp_path, ".parquet")] == [rows(10), rows(11)]
    assert len(files(tmp_path, ".json")) == 2
    assert len(list((tmp_path / "checkpoints").iterdir())) == 6


@pytest.mark.parametrize("damage", ["truncate", "empty", "flip", "remove"])
def test_a_damaged_newest_checkpoint_is_named_and_passed_over(tmp_path: Path, damage: str) -> None:
    next_attempt(tmp_path, 1, 2)
    newest = files(tmp_path, ".safetensors")[-1]
    whole = newest.read_bytes()
    if damage == "remove":
        newest.unlink()
    else:
        flipped = bytes([whole[0] ^ 1]) + whole[1:]
        newest.write_bytes({"truncate": whole[:-1], "empty": b"", "flip": flipped}[damage])
    attempt = Attempt.take(tmp_path)
    assert loaded_epoch(attempt) == 1
    log = attempt.paths.log.read_text()
    assert newest.stem in log and "passed over" in log


def test_content_without_a_record_is_ignored(tmp_path: Path) -> None:
    next_attempt(tmp_path, 1, 2)
    files(tmp_path, ".json")[-1].unlink()
    assert loaded_epoch(Attempt.take(tmp_path)) == 1


@pytest.mark.parametrize("record", ["", "{}", "[]", '{"sha256": 3}', "\x00"])
def test_a_damaged_record_is_named_and_passed_over(tmp_path: Path, record: str) -> None:
    next_attempt(tmp_path, 1, 2)
    newest = files(tmp_path, ".json")[-1]
    newest.write_text(record)
    attempt = Attempt.take(tmp_path)
    assert loaded_epoch(attempt) == 1
    assert newest.stem in attempt.paths.log.read_text()


def test_a_record_that_lacks_an_entry_is_passed_over(tmp_path: Path) -> None:
    next_attempt(tmp_path, 1, 2)
    newest = files(tmp_path, ".json")[-1]
    for missing in ("epoch", "bitwise_key"):
        whole = json.loads(newest.read_text())
        newest.write_text(json.dumps({k: v for k, v in whole.items() if k != missing}))
        attempt = Attempt.take(tmp_path)
        assert loaded_epoch(attempt) == 1
        attempt.release()
        newest.write_text(json.dumps(whole))


def test_when_both_are_damaged_there_is_none_and_the_log_names_both(tmp_path: Path) -> None:
    next_attempt(tmp_path, 1, 2)
    for path in files(tmp_path, ".safetensors"):
        path.write_bytes(b"")
    attempt = Attempt.take(tmp_path)
    assert load_checkpoint(attempt.stage.folder, attempt.log) is None
    assert attempt.paths.log.read_text().count("passed over") == 2


def test_an_attempt_that_starts_over_keeps_its_own_checkpoints(tmp_path: Path) -> None:
    next_attempt(tmp_path, 7, 8)
    for path in files(tmp_path, ".safetensors"):
        path.write_bytes(b"")
    next_attempt(tmp_path, 1)
    assert loaded_epoch(Attempt.take(tmp_path)) == 1


def test_a_later_attempt_continues_the_same_count(tmp_path: Path) -> None:
    next_attempt(tmp_path, 1, 2)
    next_attempt(tmp_path, 3)
    assert loaded_epoch(Attempt.take(tmp_path)) == 3


def test_a_superseded_attempt_saves_nothing(tmp_path: Path) -> None:
    old = next_attempt(tmp_path, 1)
    attempt_at(tmp_path, 2)
    before = sorted((tmp_path / "checkpoints").iterdir())
    with pytest.raises(Superseded):
        save_checkpoint(old, 3, content(3), rows(3), KEY)
    assert sorted((tmp_path / "checkpoints").iterdir()) == before


def test_a_large_checkpoint_is_written_while_training_goes_on_and_a_small_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = Attempt.take(tmp_path)
    disk, fsync = threading.Event(), os.fsync

    def slow(descriptor: int) -> None:
        disk.wait()
        fsync(descriptor)

    with CheckpointWriter(attempt) as writer:
        writer.save(1, content(1), rows(1), KEY)
        assert loaded_epoch(attempt) == 1
        monkeypatch.setattr(os, "fsync", slow)
        writer.save(2, LARGE, rows(2), KEY)
        assert loaded_epoch(attempt) == 1
        disk.set()
        writer.wait()
        assert loaded_epoch(attempt) == 2
        writer.save(3, LARGE, rows(3), KEY)
    assert loaded_epoch(attempt) == 3


def test_a_large_checkpoint_that_cannot_be_written_fails_the_attempt_at_its_next_epoch_or_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    attempt = attempt_at(tmp_path, 1)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"), CheckpointWriter(attempt) as writer:
        writer.save(2, LARGE, rows(2), KEY)
    with CheckpointWriter(attempt) as writer:
        writer.save(2, LARGE, rows(2), KEY)
        with pytest.raises(OSError, match="No space"):
            writer.save(3, LARGE, rows(3), KEY)
    assert loaded_epoch(attempt) == 1
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_superseded_attempt_hears_of_it_from_a_large_checkpoint_too(tmp_path: Path) -> None:
    old = next_attempt(tmp_path, 1)
    attempt_at(tmp_path, 2)
    with pytest.raises(Superseded), CheckpointWriter(old) as writer:
        writer.save(3, LARGE, rows(3), KEY)
