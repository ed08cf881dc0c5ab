"""`fairdarts store check` in the command line."""

import json
from pathlib import Path

import pytest
from in_process import exit_code
from recorded_trials import finish_stage
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

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


def test_a_repair_says_what_it_could_not_repair_and_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.create(tmp_path)
    first, second = tiny_trials(matrix={"seed": [0, 1]})
    submit(store, "tiny", [first, second], tiny_sweep().resources)
    submit(store, "other", [second], tiny_sweep().resources)
    for trial in (first, second):
        for stage in trial.stages[:2]:
            finish_stage(store, stage)
    gone = store.live_path("epochs", f"{key_of(first, 'search')}.a0001")
    gone.unlink()
    damaged = store.live_path("genotypes", f"{key_of(second, 'derive')}.a0001")
    damaged.write_bytes(b"PAR1")
    plan = store.submission_path("other", 1)
    plan.write_text("{")

    code, out = check(store, capsys, "--repair")
    assert code == 1
    lines = {line.partition(" ")[0]: line for line in out.splitlines()}
    assert "is damaged; repaired: restored from" in lines[str(plan.relative_to(store.root))]
    again = "not repaired: it continues from its last checkpoint, or is computed again, when sweep"
    assert lines[str(gone.relative_to(store.root))].endswith(f"is missing; {again} tiny is run.")
    of_damaged = lines[str(damaged.relative_to(store.root))]
    assert f"is damaged, moved to lost+found; {again} other or tiny is run." in of_damaged
    assert out.splitlines()[-2:] == [
        "3 faults: 1 repaired, 2 left.",
        "What is gone is computed again by `fairdarts sweep resume other`, "
        "`fairdarts sweep resume tiny`.",
    ]

    code, out = check(store, capsys, "--format", "json")
    left = [(fault["path"], fault["fault"], fault["repaired"]) for fault in json.loads(out)]
    paths = sorted(str(path.relative_to(store.root)) for path in (gone, damaged))
    assert (code, sorted(left)) == (1, [(path, "is missing", False) for path in paths])
    code, out = check(store, capsys, "--repair", "--format", "json")
    assert (code, len(json.loads(out))) == (1, 2)
