"""`fairdarts sweep why` and `sweep logs` say what became of a trial."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import exit_code
from one_trial import run_trial
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import submit
from orchestrate.stages.lease import Attempt
from orchestrate.stages.runtime import Runtime
from results.store.store import Store

Sweep = Callable[..., tuple[int, str]]
RUNTIME = Runtime("cpu", 1)


@pytest.fixture(scope="module")
def trials() -> list[TrialSpec]:
    return tiny_trials(matrix={"seed": [0, 1]})


@pytest.fixture(scope="module")
def store(trials: list[TrialSpec], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The first trial was interrupted once and is done; the second one failed."""
    store = Store.create(tmp_path_factory.mktemp("store"))
    submit(store, "tiny", trials, tiny_sweep().resources)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(trials[0], store, RUNTIME, interrupt)
    run_trial(trials[0], store, RUNTIME)
    failed = Attempt.take(store.stage_dir("search", key_of(trials[1], "search")))
    failed.fail("exception", ValueError("no luck"))
    return store


@pytest.fixture
def sweep(
    capsys: pytest.CaptureFixture[str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> Sweep:
    def sweep(*arguments: str) -> tuple[int, str]:
        monkeypatch.setenv("FAIRDARTS_STORE", str(store.root))
        code = exit_code("sweep", *arguments)
        out, err = capsys.readouterr()
        return code, out or err

    return sweep


def test_why_names_every_attempt_with_its_end(sweep: Sweep, trials: list[TrialSpec]) -> None:
    code, out = sweep("why", trials[0].trial_id[:8])
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == ["search", "derive", "retrain"]
    assert "attempt 1: lost, " in lines[1] and " UTC for " in lines[1]
    assert "attempt 2: ok, " in lines[2] and "resumed after epoch 0" in lines[2]
    assert "the end of" not in out


def test_why_shows_the_end_of_the_log_of_a_failure(sweep: Sweep, trials: list[TrialSpec]) -> None:
    _, out = sweep("why", key_of(trials[1], "search"))
    assert "failed: ValueError: no luck" in out
    assert "    " in out and out.count("ValueError: no luck") == 2  # the reason, and the log


def test_why_as_json_has_the_columns_of_the_table(
    sweep: Sweep, trials: list[TrialSpec], store: Store
) -> None:
    _, out = sweep("why", trials[0].trial_id, "--format", "json")
    attempts = json.loads(out)
    kinds = [(row["kind"], row["attempt"], row["status"]) for row in attempts]
    assert kinds == [
        ("search", 1, "lost"),
        ("search", 2, "ok"),
        ("derive", 1, "ok"),
        ("retrain", 1, "ok"),
    ]
    assert set(attempts[0]) == {*store.read("attempts").column_names, "log"}
    assert all(Path(row["log"]).exists() for row in attempts)


@pytest.mark.parametrize("follow", [[], ["--follow"]])
def test_logs_prints_every_attempt_and_following_a_finished_trial_ends(
    sweep: Sweep, trials: list[TrialSpec], follow: list[str]
) -> None:
    code, out = sweep("logs", trials[0].trial_id, *follow)
    assert code == 0
    headers = [line.split(", ")[1] for line in out.splitlines() if line.startswith("== ")]
    assert headers == ["a0001", "a0002", "a0001", "a0001"]
    assert out.count("epoch 1 ") == 2  # of the search and of the retraining


def test_following_goes_on_until_the_trial_is_finished(tmp_path: Path, sweep: Sweep) -> None:
    store = Store.create(tmp_path)
    (trial,) = tiny_trials("search.epochs=1", "retrain.epochs=1")
    submit(store, "tiny", [trial], tiny_sweep().resources)
    runner = threading.Thread(target=run_trial, args=(trial, store, RUNTIME))
    runner.start()
    code, out = sweep("logs", trial.trial_id, "--follow", "--store", str(tmp_path))
    runner.join()
    assert code == 0
    assert "attempt 1 at search" in out and "attempt 1 at retrain" in out


def test_an_id_that_is_no_trial_is_refused(sweep: Sweep, trials: list[TrialSpec]) -> None:
    code, out = sweep("why", trials[0].group_id)
    assert code == 2
    assert "is not a trial, nor a stage of one" in out
