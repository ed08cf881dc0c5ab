"""What trials will need, against what they then take."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from one_trial import run_trial
from tiny_sweeps import key_of, tiny_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.running.forecast import forecasts
from orchestrate.stages.runtime import Runtime
from results.store.store import Store


def test_trials_of_one_size_are_forecast_together() -> None:
    trials = tiny_trials(
        matrix={"method": ["fairdarts", "darts"], "search.batch_size": [10, 20], "seed": [0, 1]},
        random=[{"models": 2}],
    )
    found = list(forecasts(trials, on_gpu=True))
    # Drop path differs between the methods, and random models are not searched.
    assert sorted(forecast.num_trials for forecast in found) == [2, 2, 2, 2, 2]
    assert [forecast.search is None for forecast in found] == [False] * 4 + [True]
    small, large = found[0].search, found[1].search
    assert small is not None and large is not None and small < large == found[1].peak


@pytest.mark.slow
def test_a_trial_takes_what_was_forecast_for_a_cpu_within_a_fifth(tmp_path: Path) -> None:
    (trial,) = tiny_trials(
        "data.image_size=32",
        "search.init_channels=16",
        "search.num_cells=5",
        "search.batch_size=40",
        "search.epochs=1",
        "data.num_train=80",
    )
    (forecast,) = forecasts([trial], on_gpu=False)
    store = Store.create(tmp_path)
    own_process = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    with own_process as pool:
        assert pool.submit(run, trial, str(tmp_path)).result() == "ok"
    (row,) = store.read("attempts", [key_of(trial, "search")]).to_pylist()
    assert forecast.search is not None
    assert row["peak_memory_mib"] * 2**20 == pytest.approx(forecast.search, rel=0.2)


def run(trial: TrialSpec, root: str) -> str:
    import ray.tune  # noqa: F401 - as in the process of a trial

    return run_trial(trial, Store.open(root), Runtime("cpu", num_threads=1))
