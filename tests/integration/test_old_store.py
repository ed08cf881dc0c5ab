"""A store that an older version left is read and continued.

`tests/data/store_before_rooms.tar.gz` was written before the modules moved into rooms, by the sweep
file beside it: seed 0 is done, seed 1 stopped in its retraining, seed 2 in its search, each after
two epochs. `store_before_rooms.csv` has what the same version computed without a stop.
"""

import tarfile
from pathlib import Path

import pandas as pd
import pytest
from repository import ROOT

from orchestrate.planning.plan import TrialSpec, plan
from orchestrate.planning.submission import load_submission, submit
from orchestrate.planning.sweep_file import load_sweep
from orchestrate.running.runner import run_here
from orchestrate.running.status import sweep_status
from results.query.outcomes import trial_outcomes
from results.store.store import Store

DATA = ROOT / "tests" / "data"
SWEEP = DATA / "store_before_rooms.toml"


@pytest.fixture
def old(tmp_path: Path) -> Store:
    with tarfile.open(DATA / "store_before_rooms.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return Store.open(tmp_path)


def test_todays_plan_of_an_old_sweep_has_the_keys_of_then(old: Store) -> None:
    trials, before = plan(load_sweep(str(SWEEP))), load_submission(old, "before").trials
    # Settings that are younger than the store are in today's plan, and not in the keys.
    assert [_names(trial) for trial in trials] == [_names(trial) for trial in before]


def test_an_old_store_is_read(old: Store) -> None:
    statuses = sweep_status(old, load_submission(old, "before").trials)
    assert [status.status for status in statuses] == ["done", "lost", "lost"]
    attempts = old.read("attempts")
    for younger in ("num_gpus", "energy_j"):
        assert attempts[younger].null_count == len(attempts)
    outcomes = trial_outcomes(old, ["before"])
    assert outcomes["outcome"].tolist() == ["ok", "unfinished", "unfinished"]
    assert outcomes["test_top1_pct"][0] == _expected()["test_top1_pct"][0]


def test_an_old_store_is_continued_where_it_stopped(old: Store) -> None:
    sweep = load_sweep(str(SWEEP))
    attempts_before = old.read("attempts").to_pandas().set_index(["stage_key", "attempt"])

    statuses = run_here(old, submit(old, "before", plan(sweep), sweep.resources))

    assert [status.status for status in statuses] == ["done", "done", "done"]
    attempts = old.read("attempts").to_pandas().set_index(["stage_key", "attempt"])
    again = attempts.loc[attempts.index.difference(attempts_before.index)]
    # Seed 1 goes on with its retraining, seed 2 with its search, after the second epoch of three.
    resumed = again["resumed_from_epoch"].dropna()
    assert resumed.tolist() == [1, 1]
    assert sorted(again.loc[resumed.index, "kind"]) == ["retrain", "search"]
    assert len(again) == 4  # and seed 2 derives and retrains anew
    outcomes, expected = trial_outcomes(old, ["before"]), _expected()
    assert outcomes["label"].tolist() == expected["label"].tolist()
    # Another CPU rounds differently, so only what does not depend on a rounding is compared.
    assert outcomes["params"].tolist()[:2] == expected["params"].tolist()[:2]
    epochs = old.read("epochs").to_pandas()
    assert len(epochs) == 3 * (3 + 3)


def _names(trial: TrialSpec) -> tuple[str, ...]:
    keys = (stage.key for stage in trial.stages)
    return (trial.label, trial.group_label, trial.group_id, trial.dataset, trial.recipe, *keys)


def _expected() -> pd.DataFrame:
    return pd.read_csv(DATA / "store_before_rooms.csv")
