"""`-o`: regular files are written whole, anything else is written to as it is."""

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from command_process import run, run_in_shell
from small_sweep import write_example

from cli.console import StdoutError
from cli.output import check_output, write_output
from fairdarts.errors import ConfigError
from results.store.store import Store


def test_an_existing_file_is_replaced_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "table.txt"
    path.write_text("old")
    path.chmod(0o640)
    umask = os.umask(0)
    try:
        write_output(path, b"new")
    finally:
        os.umask(umask)

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.txt"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_target_is_written(exists: bool, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    target, link, link_to_link = (tmp_path / name for name in ("data/table", "link", "second"))
    if exists:
        target.write_text("old")
    link.symlink_to("data/table")
    link_to_link.symlink_to("link")

    write_output(link_to_link, b"new")

    assert target.read_bytes() == b"new"
    assert [str(path.readlink()) for path in (link, link_to_link)] == ["data/table", "link"]


@pytest.mark.parametrize("name", ["missing/table.txt", "link"])
def test_a_missing_folder_is_named_and_not_made(name: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("missing/table.txt")

    with pytest.raises(ConfigError, match=rf"folder that does not exist: create {tmp_path}/miss"):
        check_output(tmp_path / name)

    assert not (tmp_path / "missing").exists()


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        write_output(tmp_path, b"")


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    path, read = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()

    write_output(path, b"content")
    reader.join()

    assert read == [b"content"]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_pipe_whose_reader_goes_away_is_no_fault_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = subprocess.Popen(["head", "-c", "1", path], stdout=subprocess.DEVNULL)

    with reader, pytest.raises(StdoutError):
        write_output(path, bytes(10_000_000))


def test_a_device_is_written_to_and_stays_one(tmp_path: Path) -> None:
    before = Path("/dev/full").stat()

    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        write_output(Path("/dev/full"), b"content")
    write_output(Path("/dev/null"), b"content")

    assert Path("/dev/full").stat().st_rdev == before.st_rdev
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "-"])
def test_a_name_of_stdout_is_stdout_even_if_that_is_a_file(name: str, tmp_path: Path) -> None:
    write_example(Store.create(tmp_path / "store"))
    file = tmp_path / "file.txt"
    file.write_text("first\n")

    done = run_in_shell(
        f'"$@" >> {file}', "results", "table", "--store", tmp_path / "store", "-o", name
    )

    assert (done.returncode, done.stdout) == (0, "")
    lines = file.read_text().splitlines()
    assert lines[0] == "first"
    assert lines[1].startswith("exp ·")


def test_every_command_refuses_a_missing_folder_before_it_works(tmp_path: Path) -> None:
    write_example(Store.create(tmp_path / "store"))
    commands = {
        "table.txt": ["results", "table"],
        "picture.svg": ["arch", "draw", "FairDARTS_a"],
        "model.onnx": ["arch", "export", "FairDARTS_a"],
    }
    for name, command in commands.items():
        done = run(*command, "--store", tmp_path / "store", "-o", tmp_path / "missing" / name)

        assert done.returncode == 2
        assert f"create {tmp_path / 'missing'}" in done.stderr


def test_drawing_writes_nothing_into_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()

    done = run("arch", "draw", "FairDARTS_a", "-o", tmp_path / "a.svg", env={"HOME": str(home)})

    assert done.returncode == 0
    assert list(home.iterdir()) == []
