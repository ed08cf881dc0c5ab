"""Trials that come to the same genotype: it is trained once."""

import json
import shutil
from pathlib import Path

import pytest
from one_trial import run_trial
from stored_images import png, write_images
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.planning.plan import TrialSpec, given_trial
from orchestrate.planning.settings import Settings, resolve
from orchestrate.running.status import trial_status
from orchestrate.stages.lease import Attempt
from orchestrate.stages.runtime import Runtime
from results.store.store import Store

RUNTIME = Runtime("cpu", num_threads=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "runs")


def random_trial(*assignments: str) -> TrialSpec:
    (trial,) = tiny_trials(*assignments, matrix={}, random=[{"models": 1}])
    return trial


def sample_of(trial: TrialSpec, store: Store) -> dict[str, object]:
    """The genotype that a trial has drawn, which is drawn first if need be."""
    rows = store.read("genotypes", [key_of(trial, "sample")]).to_pylist()
    genotype: dict[str, object] = json.loads(rows[0]["genotype_json"])
    return genotype


def given(genotype: dict[str, object], settings: Settings | None = None) -> TrialSpec:
    sections = resolve("fairdarts", [tiny_sweep().settings | (settings or {})])
    return given_trial("again", genotype, sections)


def test_the_second_trial_of_a_genotype_repeats_the_rows_of_the_first(store: Store) -> None:
    first = random_trial()
    assert run_trial(first, store, RUNTIME) == "ok"
    second = given(sample_of(first, store))
    assert second.trial_id != first.trial_id
    assert run_trial(second, store, RUNTIME) == "ok"

    own = ["stage_key", "derive_key", "trained_as", "attempt"]
    for table, num_rows in (("epochs", 2), ("retrains", 1)):
        theirs, ours = (
            store.read(table, [trial.trial_id]).to_pandas().drop(columns=own, errors="ignore")
            for trial in (first, second)
        )
        assert len(ours) == num_rows
        assert ours.equals(theirs)  # When it was written, too: nothing was computed again.
    trained_as = [
        store.read("retrains", [trial.trial_id]).to_pylist()[0]["trained_as"]
        for trial in (first, second)
    ]
    assert trained_as == [None, first.trial_id]


@pytest.mark.parametrize("change", [{"retrain.seed": 1}, {"retrain.epochs": 1}])
def test_another_seed_or_recipe_trains_again(store: Store, change: Settings) -> None:
    first = random_trial()
    assert run_trial(first, store, RUNTIME) == "ok"
    other = given(sample_of(first, store), change)
    assert run_trial(other, store, RUNTIME) == "ok"
    assert store.read("retrains", [other.trial_id]).to_pylist()[0]["trained_as"] is None


def test_while_the_first_trains_elsewhere_the_second_waits_and_counts_as_running(
    store: Store,
) -> None:
    first = random_trial()
    with pytest.raises(KeyboardInterrupt):
        run_trial(first, store, RUNTIME, on_epoch=interrupt)
    elsewhere = Attempt.take(store.stage_dir("retrain", first.trial_id))
    second = given(sample_of(first, store))
    assert run_trial(second, store, RUNTIME) == "held"
    assert trial_status(store, second).status == "running"

    elsewhere.release()
    assert trial_status(store, second).status == "pending"
    assert run_trial(second, store, RUNTIME) == "ok"  # and with it the rest of the first
    assert trial_status(store, first).status == "done"
    epochs = store.read("epochs", [first.trial_id]).to_pylist()
    assert sorted((row["epoch"], row["attempt"]) for row in epochs) == [(0, 1), (1, 3)]


def interrupt() -> None:
    raise KeyboardInterrupt


def test_if_the_first_fails_the_second_fails_with_its_reason_until_it_is_mended(
    store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    write_images(folder)
    data = {"data.source": f"parquet:{folder}", "data.num_train": 12, "data.num_test": 4}
    first = random_trial(*(f"{name}={value}" for name, value in data.items()))
    write_images(folder, [png(1)] * 12)
    assert run_trial(first, store, RUNTIME) == "failed"
    write_images(folder)
    second = given(sample_of(first, store), data)
    write_images(folder, [png(1)] * 12)
    assert run_trial(second, store, RUNTIME) == "failed"
    reason = trial_status(store, second).state.reason
    assert reason.startswith(f"TwinFailed: stage {first.trial_id} trains the same genotype")
    assert "have changed" in reason

    write_images(folder)
    assert run_trial(second, store, RUNTIME) == "ok"
    assert trial_status(store, first).status == "done"


def test_a_genotype_whose_first_stage_was_deleted_is_trained_again(store: Store) -> None:
    first = random_trial()
    assert run_trial(first, store, RUNTIME) == "ok"
    second = given(sample_of(first, store))
    shutil.rmtree(store.stage_dir("retrain", first.trial_id))
    assert run_trial(second, store, RUNTIME) == "ok"
    assert store.read("retrains", [second.trial_id]).to_pylist()[0]["trained_as"] is None
    assert run_trial(first, store, RUNTIME) == "ok"
    assert store.read("retrains", [first.trial_id]).to_pylist()[0]["trained_as"] == second.trial_id
