from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from cli.run_report import cost_text
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import submit
from orchestrate.running.cost import SweepCost, sweep_cost
from results.store.layout import live_name
from results.store.store import Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def attempt(store: Store, trial: TrialSpec, kind: str, number: int, **columns: Any) -> None:
    key = key_of(trial, kind)
    row = {"stage_key": key, "attempt": number, "kind": kind} | columns
    store.write_rows("attempts", live_name(key, number), [row])


def test_a_sweep_that_was_not_started_has_cost_nothing(tmp_path: Path) -> None:
    assert sweep_cost(Store.create(tmp_path), tiny_trials()) == SweepCost(0, 0, None, 0, 0)


def test_lost_attempts_count_running_ones_do_not_and_a_shared_search_counts_once(
    tmp_path: Path,
) -> None:
    store = Store.create(tmp_path)
    trials = tiny_trials(matrix={"retrain.epochs": [1, 2]})
    after = [NOON + timedelta(minutes=minutes) for minutes in range(10)]
    attempt(store, trials[0], "search", 1, started_at=after[0], ended_at=after[1], wall_s=60.0)
    attempt(store, trials[0], "search", 2, started_at=after[3], ended_at=after[5], wall_s=120.0)
    attempt(store, trials[1], "retrain", 1, started_at=after[6])
    folder = store.stage_dir("search", key_of(trials[0], "search"))
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "a0001-e000001.safetensors").write_bytes(b"x" * 1000)
    assert sweep_cost(store, trials) == SweepCost(180, 0, None, 300, 1000)


def test_hours_of_gpus_count_their_fractions_and_are_told_where_there_are_any(
    tmp_path: Path,
) -> None:
    store = Store.create(tmp_path)
    (trial,) = trials = tiny_trials()
    hour = {"started_at": NOON, "ended_at": NOON + timedelta(hours=1), "wall_s": 3600.0}
    attempt(store, trial, "search", 1, **hour)  # by a version that did not record GPUs
    submission = submit(store, "tiny", trials, tiny_sweep().resources)
    assert "of computing, 60 min from start to end" in cost_text(store, submission)
    # Killed, so that nobody could read the counter of energy in the end.
    attempt(store, trial, "search", 2, num_gpus=0.5, **hour)
    assert sweep_cost(store, trials) == SweepCost(7200, 1800, None, 3600, 0)
    attempt(store, trial, "retrain", 1, num_gpus=1.0, energy_j=1.8e6, **hour)
    assert "of computing (1.50 GPU hours, 0.500 kWh), " in cost_text(store, submission)


def test_attempts_without_times_cost_what_is_known(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    (trial,) = tiny_trials()
    attempt(store, trial, "search", 1, ended_at=NOON, wall_s=60.0)
    assert sweep_cost(store, [trial]) == SweepCost(60, 0, None, 0, 0)
