import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from repository import ROOT

from results.errors import DamagedFile
from results.store.files import claim_whole, read_json, size_of, write_json, write_whole


def run_python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_written_file_holds_the_content_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"

    write_whole(path, b"first")
    write_whole(path, b"second")

    assert path.read_bytes() == b"second"
    assert names_in(path.parent) == ["file"]


def test_a_write_that_fails_half_way_leaves_the_previous_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, b"previous")
    code = """
import resource, sys
from collections.abc import Callable
from pathlib import Path
from results.store.files import write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(Path(sys.argv[1]), bytes(5000))
except OSError as error:
    print(type(error).__name__)
"""

    output, _ = run_python(code, str(path)).communicate(timeout=30)

    assert output == "OSError\n"
    assert path.read_bytes() == b"previous"
    assert names_in(tmp_path) == ["file"]


def test_a_rename_that_fails_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()

    with pytest.raises(OSError):
        write_whole(tmp_path / "taken", b"content")

    assert names_in(tmp_path) == ["taken"]


def test_a_killed_writer_leaves_one_whole_version(tmp_path: Path) -> None:
    path = tmp_path / "file"
    code = """
import itertools, sys
from collections.abc import Callable
from pathlib import Path
from results.store.files import write_whole
for count in itertools.count():
    write_whole(Path(sys.argv[1]), bytes([count % 256]) * 300_000)
    print(count, flush=True)
"""
    with run_python(code, str(path)) as writer:
        assert writer.stdout is not None
        for _ in range(5):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)

    content = path.read_bytes()
    assert len(content) == 300_000
    assert len(set(content)) == 1


def test_json_survives_a_round_trip(tmp_path: Path) -> None:
    value = {"text": "Größe \ud800 \n", "numbers": [1, 2.5, None, True], "nested": {"a": {}}}

    write_json(tmp_path / "value.json", value)

    assert read_json(tmp_path / "value.json") == value


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\x00", b"[" * 100_000])
def test_damaged_json_is_refused_with_its_name_and_a_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "value.json"
    path.write_bytes(content)

    with pytest.raises(DamagedFile, match=r"value\.json is damaged .*: restore it"):
        read_json(path)


def test_a_missing_json_file_is_missing_not_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "value.json")


@pytest.mark.parametrize("write", [write_whole, claim_whole])
@pytest.mark.parametrize("at", [1, 2])
def test_a_file_is_written_though_another_process_tidies_up_what_is_not_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., object], at: int
) -> None:
    flush, number = os.fsync, itertools.count(1)

    def fsync(descriptor: int) -> None:
        flush(descriptor)
        if next(number) == at:
            for path in tmp_path.glob(".*.tmp"):
                path.unlink()

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path / "file", b"content")
    assert (tmp_path / "file").read_bytes() == b"content"
    assert names_in(tmp_path) == ["file"]


def test_files_that_have_gone_have_no_size(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"123")

    assert size_of([tmp_path / "there", tmp_path / "removed a moment ago"]) == 3
