"""`fairdarts store check` in the command line."""

import json
from pathlib import Path

import pytest
from in_process import exit_code
from tiny_sweeps import tiny_sweep, tiny_trials

from orchestrate.planning.submission import submit
from results.store.store import Store


def check(store: Store, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = exit_code("store", "check", "--store", store.root, *arguments)
    return code, capsys.readouterr().out


def test_faults_are_named_and_repaired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.create(tmp_path)
    submit(store, "tiny", tiny_trials(), tiny_sweep().resources)
    assert check(store, capsys) == (0, "No fault found.\n")
    store.submission_path("tiny", 1).write_text("{")
    code, out = check(store, capsys)
    assert code == 1
    assert out.startswith(
        "sweeps/tiny/0001.json is damaged; with --repair: restored from the table trials"
    )
    code, out = check(store, capsys, "--format", "json")
    (fault,) = json.loads(out)
    assert (code, fault["path"], fault["fault"]) == (1, "sweeps/tiny/0001.json", "is damaged")
    assert check(store, capsys, "--repair")[0] == 0
    assert check(store, capsys) == (0, "No fault found.\n")
