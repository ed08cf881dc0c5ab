"""`fairdarts sweep clean` frees disk space and touches nothing that counts."""

import json
import shutil
from pathlib import Path

import pytest
from in_process import exit_code
from one_trial import run_trial
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.errors import NotTrained
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import submit
from orchestrate.running.runner import run_here
from orchestrate.running.status import sweep_status
from orchestrate.running.store_check import store_faults
from orchestrate.stages.runtime import Runtime
from orchestrate.stages.trained import trained_network
from results.store.store import Store

TABLES = ("trials", "attempts", "epochs", "genotypes", "retrains")


@pytest.fixture(scope="module")
def trials() -> list[TrialSpec]:
    return tiny_trials(matrix={"seed": [0, 1]})


@pytest.fixture(scope="module")
def whole(trials: list[TrialSpec], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One trial is finished, the other one was interrupted in its search."""
    store = Store.create(tmp_path_factory.mktemp("whole"))
    submission = submit(store, "tiny", trials, tiny_sweep().resources)
    run_trial(trials[0], store, Runtime("cpu", 1))

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_trial(trials[1], store, Runtime("cpu", 1), interrupt)
    assert [s.status for s in sweep_status(store, submission.trials)] == ["done", "lost"]
    return store


@pytest.fixture
def store(whole: Store, tmp_path: Path) -> Store:
    shutil.copytree(whole.root, tmp_path / "store")
    return Store.open(tmp_path / "store")


def clean(store: Store, *options: str) -> int:
    return exit_code("sweep", "clean", "tiny", "--store", store.root, *options)


def checkpoints(store: Store, trial: TrialSpec, kind: str) -> list[str]:
    folder = store.stage_dir(kind, key_of(trial, kind)) / "checkpoints"
    return sorted(path.name for path in folder.iterdir())


def test_what_is_finished_keeps_its_results_and_the_weights_of_its_network(
    whole: Store, store: Store, trials: list[TrialSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    assert clean(store, "--yes") == 0
    assert "MB." in capsys.readouterr().out
    assert checkpoints(store, trials[0], "search") == []
    assert len(checkpoints(store, trials[0], "retrain")) == 3  # state, rows, record
    assert checkpoints(store, trials[1], "search") == checkpoints(whole, trials[1], "search")
    for table in TABLES:
        assert store.read(table).equals(whole.read(table))
    trained_network(store, trials[0].trial_id)
    assert list(store_faults(store)) == []
    assert clean(store, "--yes") == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_an_unfinished_trial_continues_after_it(store: Store, trials: list[TrialSpec]) -> None:
    clean(store, "--yes")
    submission = submit(store, "tiny", trials, tiny_sweep().resources)
    assert [status.status for status in run_here(store, submission)] == ["done", "done"]
    (row,) = (
        row
        for row in store.read("attempts", [key_of(trials[1], "search")]).to_pylist()
        if row["attempt"] == 2
    )
    assert row["resumed_from_epoch"] == 0


def test_weights_go_only_on_request(store: Store, trials: list[TrialSpec]) -> None:
    assert clean(store, "--weights", "--yes") == 0
    with pytest.raises(NotTrained, match="is gone or damaged"):
        trained_network(store, trials[0].trial_id)


def test_nothing_is_removed_without_consent(
    whole: Store, store: Store, trials: list[TrialSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    assert clean(store) == 1
    assert "Nothing was removed" in capsys.readouterr().out
    assert checkpoints(store, trials[0], "search") == checkpoints(whole, trials[0], "search")


def test_as_json_nothing_is_asked_and_the_document_says_what_was_done(
    store: Store, trials: list[TrialSpec], capsys: pytest.CaptureFixture[str]
) -> None:
    assert clean(store, "--format", "json") == 1
    asked = json.loads(capsys.readouterr().out)
    assert clean(store, "--format", "json", "--yes") == 0
    done = json.loads(capsys.readouterr().out)
    assert (asked["removed"], done["removed"]) == (False, True)
    assert done["num_files"] == asked["num_files"] > 0
    assert done["num_bytes"] == asked["num_bytes"] > 0
    assert checkpoints(store, trials[0], "search") == []
    assert clean(store, "--format", "json") == 0
    nothing = {"sweep": "tiny", "num_files": 0, "num_bytes": 0, "removed": False}
    assert json.loads(capsys.readouterr().out) == nothing
