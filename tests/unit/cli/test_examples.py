"""The examples in the help of commands that take a moment run as they stand."""

import shlex
from pathlib import Path

import pytest

from cli.app import main
from cli.reference import commands, examples

QUICK = (
    "sample",
    "sweep list",
    "sweep plan",
    "sweep settings",
    "arch list",
    "arch show",
    "arch count",
    "arch draw",
)
LINES = [line for name in QUICK for line in examples(commands()[f"fairdarts {name}"])]


@pytest.mark.parametrize("line", LINES)
def test_it_runs(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAIRDARTS_STORE", raising=False)
    command, _, _file = line.partition(" > ")
    words = shlex.split(command)
    monkeypatch.setattr("sys.argv", words)

    with pytest.raises(SystemExit) as exit_:
        main()

    assert exit_.value.code == 0, capsys.readouterr().err
    if "-o" in words:
        assert (tmp_path / words[words.index("-o") + 1]).stat().st_size
    else:
        assert capsys.readouterr().out
