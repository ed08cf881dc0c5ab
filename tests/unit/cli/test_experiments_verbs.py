"""The commands that docs/experiments.md gives run, on a store that has their sweeps."""

import re
import shlex
from pathlib import Path

import pytest
from in_process import exit_code
from repository import ROOT
from small_sweep import Trial, finish, submit

from results.store.store import Store

PAGE = (ROOT / "docs" / "experiments.md").read_text("utf-8")
COMMANDS = re.findall(r"^\| [^|]+ \| `(fairdarts results [^|]+)` \|$", PAGE, re.MULTILINE)
QUESTIONS = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
METHODS = {"exp01": "darts", "exp10": "random", "exp11": "random M=2", "exp12": "darts-skip-noise"}


@pytest.mark.slow
def test_every_command_of_the_page_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRDARTS_STORE", str(tmp_path))
    store = Store.create(tmp_path)
    assert (len(COMMANDS), len(QUESTIONS)) == (9, 5)
    for sweep in sorted(set(re.findall(r"(exp\d\d|cures)-small", " ".join(COMMANDS)))):
        names = ["darts", "fairdarts"] if sweep == "cures" else [METHODS.get(sweep, "fairdarts")]
        trials = [Trial(name, seed) for name in names for seed in range(2)]
        submit(store, f"{sweep}-small", 1, trials)
        for trial in trials:
            finish(store, trial, 40.0 + trial.seed)

    asked = [
        ("results", "sql", question.replace("epoch = 14", "epoch = 1")) for question in QUESTIONS
    ]
    for words in [*(shlex.split(command)[1:] for command in COMMANDS), *asked]:
        code = exit_code(*words)
        out, err = capsys.readouterr()
        assert (code, bool(out)) == (0, True), f"{words}: {err}"
