import hashlib
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from fairdarts.data.digests import SETTLED_S, digests, look
from fairdarts.errors import DataError

GROUPS = {"x": ["a", "b/c"], "y": ["d"]}


def later() -> float:
    """A clock by which the files of these tests are old."""
    return time.time() + SETTLED_S + 1


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "files" / "b").mkdir(parents=True)
    for name in ("a", "b/c", "d"):
        (tmp_path / "files" / name).write_bytes(name.encode())
    return tmp_path / "files"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def joined(paths: Sequence[str], found: Sequence[str]) -> str:
    return " ".join(f"{path}={digest[:6]}" for path, digest in zip(paths, found, strict=True))


def sha(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:6]


class Reads:
    """Counts the bytes that a call reads."""

    def __init__(self) -> None:
        self.num_bytes = 0

    def __call__(self, done: int, total: int) -> None:
        assert done <= total
        self.num_bytes = total


def bytes_read(top: Path, *kept: Path, **options: object) -> int:
    reads = Reads()
    how = {"clock": later} | options
    digests(top, GROUPS, joined, kept_in=kept, on_progress=reads, **how)  # type: ignore[arg-type]
    return reads.num_bytes


def test_digests_are_of_the_contents_in_the_order_of_the_groups(top: Path) -> None:
    expected = {"x": f"a={sha('a')} b/c={sha('b/c')}", "y": f"d={sha('d')}"}
    assert digests(top, GROUPS, joined) == expected
    assert list(digests(top, dict(reversed(GROUPS.items())), joined)) == ["y", "x"]


def test_files_are_read_once_and_then_only_their_group_when_they_change(
    top: Path, kept: Path
) -> None:
    assert bytes_read(top, kept) == 5
    assert bytes_read(top, kept) == 0
    (top / "d").write_bytes(b"e")
    assert bytes_read(top, kept) == 1
    assert digests(top, GROUPS, joined, kept_in=[kept])["y"] == f"d={sha('e')}"
    assert bytes_read(top, kept) == 0


def test_a_change_that_keeps_size_and_time_is_seen(top: Path, kept: Path) -> None:
    bytes_read(top, kept)
    times = (top / "d").stat()
    (top / "d").write_bytes(b"e")
    os.utime(top / "d", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert bytes_read(top, kept) == 1


def test_what_changed_a_moment_ago_is_not_kept(top: Path, kept: Path) -> None:
    assert bytes_read(top, kept, clock=time.time) == 5
    assert bytes_read(top, kept, clock=time.time) == 5
    assert list(kept.glob("*")) == []


def test_every_folder_gets_what_it_lacks(top: Path, kept: Path, tmp_path: Path) -> None:
    bytes_read(top, kept)
    assert bytes_read(top, tmp_path / "store", kept) == 0
    assert bytes_read(top, tmp_path / "store") == 0
    (top / "d").write_bytes(b"e")
    bytes_read(top, kept)
    assert bytes_read(top, tmp_path / "store", kept) == 0
    assert bytes_read(top, tmp_path / "store") == 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"x": 1}', b'{"x": [1, 2, 3]}', b"\xff"])
def test_a_damaged_file_is_written_anew(top: Path, kept: Path, content: bytes) -> None:
    bytes_read(top, kept)
    (path,) = kept.iterdir()
    path.write_bytes(content)
    assert bytes_read(top, kept) == 5
    assert bytes_read(top, kept) == 0
    assert list(kept.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_costs_reading_anew(top: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert bytes_read(top, tmp_path / "file" / "kept") == 5
    assert bytes_read(top, tmp_path / "file" / "kept") == 5


def test_copies_of_one_path_on_other_disks_are_told_apart(top: Path, kept: Path) -> None:
    bytes_read(top, kept)
    top.rename(top.with_name("other"))
    (top / "b").mkdir(parents=True)
    for name in ("a", "b/c", "d"):
        (top / name).write_bytes(b"...")
    assert bytes_read(top, kept) == 9
    assert len(list(kept.iterdir())) == 2


def test_writers_at_once_leave_a_whole_file(top: Path, kept: Path) -> None:
    threads = [threading.Thread(target=bytes_read, args=(top, kept)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(kept.iterdir())) == 1
    assert bytes_read(top, kept) == 0


def test_an_interrupt_keeps_what_was_read(top: Path, kept: Path) -> None:
    x_is_read, interrupted = threading.Event(), threading.Event()
    calls_since = []

    def combine(paths: Sequence[str], found: Sequence[str]) -> str:
        if paths == GROUPS["x"]:
            x_is_read.set()
        else:
            interrupted.wait()
        return joined(paths, found)

    def interrupt(done: int, total: int) -> None:
        if x_is_read.is_set():
            calls_since.append(done)
        if len(calls_since) == 2:
            interrupted.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        digests(top, GROUPS, combine, kept_in=[kept], on_progress=interrupt, clock=later)
    assert bytes_read(top, kept) == 1


def test_files_that_change_while_they_are_read_are_refused(top: Path, kept: Path) -> None:
    both = threading.Barrier(2, timeout=60)  # Else the second group may end before it appends.

    def append(paths: Sequence[str], found: Sequence[str]) -> str:
        with (top / paths[0]).open("ab") as file:
            file.write(b"more")
        both.wait()
        return ""

    with pytest.raises(DataError, match="change while they are read: wait until all are in place"):
        digests(top, GROUPS, append, kept_in=[kept], clock=later)
    assert bytes_read(top, kept) == 13


@pytest.mark.parametrize("ask", [lambda top: look(top, GROUPS), bytes_read])
def test_a_missing_file_is_named(top: Path, ask: object) -> None:
    (top / "b" / "c").unlink()
    with pytest.raises(DataError, match=r"files/b/c cannot be read: No such file"):
        ask(top)  # type: ignore[operator]


def test_the_state_changes_with_any_file(top: Path) -> None:
    before = look(top, GROUPS)
    assert look(top, GROUPS) == before
    (top / "b" / "c").write_bytes(b"longer")
    assert look(top, GROUPS) != before
