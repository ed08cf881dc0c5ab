"""Damage to any file of a store is found, concerns its own trial only, and is mended."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.errors import SweepError
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import load_submission, submit
from orchestrate.running.faults import repair
from orchestrate.running.runner import run_here
from orchestrate.running.status import sweep_status
from orchestrate.running.store_check import store_faults
from orchestrate.stages.paths import StagePaths
from results.query.outcomes import trial_outcomes
from results.store.store import Store

Damage = Callable[[Path], object]
HARMLESS = ["wall_s", "images_per_s", "written_at", "attempt"]
DAMAGES: dict[str, Damage] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "{}": lambda path: path.write_text("{}"),
    "[]": lambda path: path.write_text("[]"),
    "null": lambda path: path.write_text("null"),
    "gone": lambda path: path.unlink(),
}


@pytest.fixture(scope="module")
def trials() -> list[TrialSpec]:
    """A search, and a random baseline, with a retraining each."""
    return tiny_trials(random=[{"models": 1}])


@pytest.fixture(scope="module")
def whole(trials: list[TrialSpec], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store in which both are finished."""
    store = Store.create(tmp_path_factory.mktemp("whole"))
    run_here(store, submit(store, "tiny", trials, tiny_sweep().resources))
    return store


@pytest.fixture
def store(whole: Store, tmp_path: Path) -> Store:
    """A copy of it, to be damaged."""
    shutil.copytree(whole.root, tmp_path / "store")
    return Store.open(tmp_path / "store")


def numbers(store: Store) -> dict[str, list[dict[str, object]]]:
    tables = {}
    for table in ("epochs", "genotypes", "retrains"):
        rows = store.read(table).to_pylist()
        for row in rows:
            for name in HARMLESS:
                row.pop(name, None)
        tables[table] = sorted(rows, key=lambda row: (row["stage_key"], row.get("epoch")))
    return tables


def statuses(store: Store) -> list[str]:
    submission = load_submission(store, "tiny")
    return [status.status for status in sweep_status(store, submission.trials)]


def one_file(store: Store, pattern: str) -> Path:
    return sorted(store.root.glob(pattern))[0]


def test_a_store_without_a_fault_has_none(store: Store) -> None:
    assert list(store_faults(store)) == []


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "pattern",
    [
        "stages/retrain/*/*/DONE.json",
        "stages/search/*/*/DONE.json",
        "stages/retrain/*/*/SPEC.json",
        "stages/search/*/*/attempts/*/LEASE.json",
        "trainings/*/*.json",
        "live/epochs/*.parquet",
        "live/genotypes/*.parquet",
        "live/retrains/*.parquet",
    ],
)
def test_damage_concerns_its_own_trial_and_running_again_restores_every_number(
    whole: Store, store: Store, trials: list[TrialSpec], pattern: str, damage: str
) -> None:
    DAMAGES[damage](one_file(store, pattern))
    assert "done" in statuses(store)  # the other trial
    for fault in store_faults(store):
        repair(store, fault)
    run_here(store, load_submission(store, "tiny"))
    assert statuses(store) == ["done", "done"]
    assert numbers(store) == numbers(whole)
    assert list(store_faults(store)) == []


@pytest.mark.parametrize("damage", ["empty", "{}", "[]", "cut", "gone"])
def test_a_damaged_plan_is_restored_from_its_rows(whole: Store, store: Store, damage: str) -> None:
    plan = store.submission_path("tiny", 1)
    DAMAGES[damage](plan)
    is_there = plan.exists()
    with pytest.raises(SweepError, match=r"0001\.json is missing or damaged: .*--repair"):
        load_submission(store, "tiny")
    (fault,) = store_faults(store)
    repair(store, fault)
    assert load_submission(store, "tiny").trials == load_submission(whole, "tiny").trials
    assert (store.root / "lost+found" / "sweeps" / "tiny" / "0001.json").exists() == is_there


def test_lost_rows_of_a_plan_are_restored_from_it(whole: Store, store: Store) -> None:
    rows = one_file(store, "live/trials/*.parquet")
    rows.write_bytes(b"PAR1")
    (fault,) = store_faults(store)
    repair(store, fault)
    assert store.read("trials").equals(whole.read("trials"))


def test_a_damaged_plan_does_not_keep_its_sweep_from_being_run_again(
    store: Store, trials: list[TrialSpec]
) -> None:
    store.submission_path("tiny", 1).write_text("{")
    submission = submit(store, "tiny", trials, tiny_sweep().resources)
    assert submission.number == 2
    assert [status.status for status in run_here(store, submission)] == ["done", "done"]


def test_lost_rows_of_a_finished_stage_come_back_without_computing(
    store: Store, trials: list[TrialSpec]
) -> None:
    key = key_of(trials[0], "retrain")
    for table in ("epochs", "retrains"):
        store.live_path(table, f"{key}.a0001").unlink()
    assert statuses(store)[0] == "lost"
    run_here(store, load_submission(store, "tiny"))
    paths = StagePaths(store.stage_dir("retrain", key))
    log = paths.attempt(2).log.read_text()
    assert "resuming after epoch 1" in log and "epoch 1 " not in log.partition("resuming")[2][20:]


@pytest.mark.parametrize("damage", DAMAGES)
def test_tables_know_a_finished_stage_whose_attempts_were_lost(
    store: Store, trials: list[TrialSpec], damage: str
) -> None:
    key = key_of(trials[0], "retrain")
    DAMAGES[damage](store.live_path("attempts", f"{key}.a0001"))
    (fault,) = store_faults(store)
    repair(store, fault)
    assert trial_outcomes(store)["outcome"].tolist() == ["ok", "ok"]
    assert list(store_faults(store)) == []


def test_a_mark_of_failure_that_is_damaged_still_counts_until_it_is_moved_away(
    store: Store, trials: list[TrialSpec]
) -> None:
    paths = StagePaths(store.stage_dir("retrain", key_of(trials[0], "retrain")))
    paths.done.unlink()
    paths.attempt(1).failed.write_text("{}")
    assert statuses(store)[0] == "failed"
    (fault,) = store_faults(store)
    repair(store, fault)
    assert statuses(store)[0] == "lost"


def test_a_damaged_checkpoint_is_moved_away_and_the_one_before_it_stays(store: Store) -> None:
    newest = sorted(store.root.glob("stages/search/*/*/checkpoints/*.json"))[-1]
    newest.with_suffix(".safetensors").write_bytes(b"junk")
    (fault,) = store_faults(store)
    assert "sha256" in fault.what
    repair(store, fault)
    assert json.loads(one_file(store, "stages/search/*/*/checkpoints/*.json").read_text())
    assert list(store_faults(store)) == []
