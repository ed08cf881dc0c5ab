"""`--format json` of commands that compute: one document on stdout, progress on stderr."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from in_process import exit_code
from tiny_sweeps import SETTINGS, key_of, tiny_trials

from cli.formats import Format
from cli.run_report import report
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import submit
from orchestrate.running.runner import run_here
from orchestrate.running.status import sweep_status
from orchestrate.running.stopping import RunEnd
from orchestrate.stages.lease import Attempt
from results.store.store import Store

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Exit code, document and stderr of a command."""

    def run(*arguments: str) -> tuple[int, Any, str]:
        code = exit_code(*arguments, "--store", tmp_path / "store", "--format", "json")
        out, err = capsys.readouterr()
        return code, json.loads(out), err

    return run


def assignments(*sections: str, **changed: object) -> list[str]:
    flat = {f"{part}.{name}": value for part in sections for name, value in SETTINGS[part].items()}
    del flat["data.source"]
    flat |= {name.replace("__", "."): value for name, value in changed.items()}
    return [f"--set={name}={value}" for name, value in flat.items()]


def test_a_search_ends_with_its_trial_and_so_does_its_repetition(run: Run, tmp_path: Path) -> None:
    command = ["search", *assignments("data", "search", "derive", search__epochs=1)]
    code, trial, errors = run(*command)
    assert (code, trial["status"], trial["test_top1_pct"]) == (0, "done", None)
    assert trial["genotype"].keys() == {"normal", "reduce"}
    assert "done: " in errors
    assert run(*command)[1] == trial
    shown = run("show", trial["trial_id"])[1]
    assert {name: shown[name] for name in trial} == trial


def test_a_search_without_a_result_ends_with_its_reason(run: Run) -> None:
    given = assignments("data", "search", "derive", search__epochs=1, derive__op_threshold=0.999)
    code, trial, errors = run("search", *given)
    assert (code, trial["status"], trial["stage"]) == (1, "invalid", "derive")
    assert "no live node" in trial["reason"]
    assert "no live node" in errors


def test_a_retraining_ends_with_its_accuracy_and_cost(run: Run) -> None:
    command = ["retrain", "FairDARTS_a", *assignments("data", "retrain", retrain__epochs=1)]
    code, trial, errors = run(*command)
    assert (code, trial["status"], trial["label"]) == (0, "done", "FairDARTS_a seed=0")
    assert 0 <= trial["test_top1_pct"] <= 100
    assert trial["params"] > 0 < trial["multadds"]
    assert "done: " in errors


def test_a_sweep_that_is_finished_ends_with_its_status(run: Run, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    trials = tiny_trials(matrix={}, random=[{"models": 1}])
    submission = submit(store, "tiny", trials, Resources())
    run_here(store, submission)

    code, document, errors = run("sweep", "resume", "tiny")

    assert (code, document["exit_code"], document["outcome"]) == (0, 0, "finished")
    assert "tiny: 1 trial: 1 done" in errors
    _, status, _ = run("sweep", "status", "tiny")
    assert {name: document[name] for name in status} == status


@pytest.mark.parametrize(("num_failures", "outcome"), [(0, "unfinished"), (1, "failed")])
def test_the_exit_code_of_a_run_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], num_failures: int, outcome: str
) -> None:
    store = Store.create(tmp_path / "store")
    trials = tiny_trials(matrix={"seed": [0, 1]})
    submission = submit(store, "tiny", trials, Resources())
    for _ in range(num_failures):
        attempt = Attempt.take(store.stage_dir("search", key_of(trials[0], "search")))
        attempt.fail("exception", ValueError("no luck"))
    with pytest.raises(typer.Exit):
        report(store, submission, RunEnd(sweep_status(store, trials)), "again", Format.JSON)
    document = json.loads(capsys.readouterr().out)
    assert (document["exit_code"], document["outcome"]) == (1, outcome)
