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
from orchestrate.running.sealing import seal_finished
from orchestrate.running.status import sweep_status
from orchestrate.running.store_check import AGAIN, Repairs, repair_store, store_faults
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


def test_a_plan_is_not_called_repaired_if_its_rows_are_damaged_too(store: Store) -> None:
    for path in (store.submission_path("tiny", 1), one_file(store, "live/trials/*.parquet")):
        path.write_bytes(b"{")
    done = repair_store(store)
    assert (done.repaired, [fault.remedy for fault in done.left]) == ([], [AGAIN, AGAIN])
    assert all("moved to lost+found" in fault.what for fault in done.left)


def test_a_plan_of_another_program_is_no_reason_to_end_a_check(store: Store) -> None:
    rows = [row | {"config_json": None} for row in store.read("trials").to_pylist()]
    store.write_rows("trials", "tiny.0001", rows)
    store.submission_path("tiny", 1).unlink()
    (fault,) = repair_store(store).left
    assert (fault.what, fault.remedy) == ("is missing", AGAIN)
    assert len(trial_outcomes(store)) == len(rows)


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
    whole: Store, store: Store, trials: list[TrialSpec], damage: str
) -> None:
    key = key_of(trials[0], "retrain")
    DAMAGES[damage](store.live_path("attempts", f"{key}.a0001"))
    (fault,) = store_faults(store)
    repair(store, fault)
    assert trial_outcomes(store)["outcome"].tolist() == ["ok", "ok"]
    assert list(store_faults(store)) == []
    (row,) = store.read("attempts", [key]).to_pylist()
    (was,) = whole.read("attempts", [key]).to_pylist()
    assert row["wall_s"] == pytest.approx(was["wall_s"], abs=2)


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


def test_what_a_repair_has_left_is_what_the_next_check_finds_until_the_sweep_runs(
    whole: Store, store: Store, trials: list[TrialSpec]
) -> None:
    assert seal_finished(store)
    pack = one_file(store, "sealed/retrains/*.parquet")
    content = pack.read_bytes()
    pack.write_bytes(content[:40] + bytes([content[40] ^ 255]) + content[41:])

    done = repair_store(store)
    assert [fault.path for fault in done.repaired] == [pack]
    keys = [key_of(trial, "retrain") for trial in trials]
    gone = {store.live_path("retrains", f"{key}.a0001") for key in keys}
    assert {fault.path for fault in done.left} == gone
    assert {fault.sweeps for fault in done.left} == {("tiny",)}
    assert list(store_faults(store)) == done.left
    assert repair_store(store) == Repairs([], done.left)

    run_here(store, load_submission(store, "tiny"))
    assert list(store_faults(store)) == []
    assert numbers(store) == numbers(whole)


def test_a_repair_finds_what_a_damaged_manifest_has_hidden(store: Store) -> None:
    assert seal_finished(store)
    for path in (store.root / "sealed").glob("MANIFEST-*"):
        path.write_text("{}")
    plan = store.submission_path("tiny", 1)
    plan.write_text("{")
    done = repair_store(store)
    assert plan in [fault.path for fault in done.repaired]
    assert done.left == list(store_faults(store)) == []


def test_nobody_computes_again_what_only_older_submissions_plan(
    store: Store, trials: list[TrialSpec]
) -> None:
    submit(store, "tiny", trials[1:], tiny_sweep().resources)
    store.live_path("epochs", f"{key_of(trials[0], 'search')}.a0001").unlink()
    (fault,) = repair_store(store).left
    assert (fault.sweeps, fault.remedy.split(", ")[-1]) == ((), "when a sweep plans it again")


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_the_settings_of_a_stage_that_no_sweep_plans_are_not_missed(
    store: Store, damage: str
) -> None:
    shutil.rmtree(store.root / "sweeps")
    shutil.rmtree(store.root / "live" / "trials")
    DAMAGES[damage](one_file(store, "stages/search/*/*/SPEC.json"))
    assert repair_store(store).left == []
    assert list(store_faults(store)) == []


def test_a_restored_plan_restores_the_settings_of_its_stages(store: Store) -> None:
    store.submission_path("tiny", 1).write_text("{")
    one_file(store, "stages/search/*/*/SPEC.json").write_text("{}")
    done = repair_store(store)
    assert (len(done.repaired), done.left) == (2, [])
    assert list(store_faults(store)) == []
