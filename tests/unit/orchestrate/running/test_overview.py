"""What goes on in a sweep, by the files of a store alone."""

import os
import shutil
import socket
from pathlib import Path

import pytest
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import submit
from orchestrate.running.drivers import announced
from orchestrate.running.overview import Watcher
from orchestrate.running.status import count
from orchestrate.stages.lease import Attempt
from results.store.layout import ROWS_OF, live_name
from results.store.store import Store

EPOCH_S = 10.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def trials() -> list[TrialSpec]:
    return tiny_trials("search.epochs=4", "retrain.epochs=2", matrix={"seed": [0, 1, 2, 3]})


def take(store: Store, trial: TrialSpec, kind: str) -> Attempt:
    return Attempt.take(store.stage_dir(kind, key_of(trial, kind)))


def compute(store: Store, trial: TrialSpec, kind: str, epochs: int, **columns: object) -> Attempt:
    """A stage that has got so far: a lease, its row, and rows of epochs."""
    attempt, key = take(store, trial, kind), key_of(trial, kind)
    row = {"stage_key": key, "attempt": 1, "kind": kind, "device": "NVIDIA X", "num_gpus": 0.5}
    store.write_rows("attempts", live_name(key, 1), [row | columns])
    accuracy = {"arch_top1_pct": 10.0} if kind == "search" else {"test_top1_pct": 10.0}
    rows = [
        {"stage_key": key, "kind": kind, "epoch": epoch, "wall_s": EPOCH_S} | accuracy
        for epoch in range(epochs)
    ]
    store.write_rows("epochs", live_name(key, 1), rows)
    return attempt


def finish(store: Store, trial: TrialSpec, kind: str, epochs: int = 0) -> None:
    attempt = compute(store, trial, kind, epochs) if epochs else take(store, trial, kind)
    key = key_of(trial, kind)
    for table in set(ROWS_OF[kind]) - ({"epochs"} if epochs else set()):
        store.write_rows(table, live_name(key, attempt.number), [{"stage_key": key}])
    attempt.finish("ok")  # type: ignore[arg-type]


def test_nodes_pace_and_time_left_follow_from_leases_and_epochs(
    store: Store, trials: list[TrialSpec]
) -> None:
    done, first, second, _ = trials
    for kind, epochs in (("search", 4), ("derive", 0), ("retrain", 2)):
        finish(store, done, kind, epochs)
    compute(store, first, "search", 1)
    compute(store, second, "search", 3)
    overview = Watcher(store, "tiny", trials).look()

    assert count(overview.statuses) == {"done": 1, "running": 2, "pending": 1}
    (node,) = overview.nodes
    assert (node.host, node.num_stages, node.num_gpus) == (socket.gethostname(), 2, 1.0)
    assert node.devices == ["NVIDIA X"]
    assert overview.epochs_per_h == pytest.approx(2 * 3600 / EPOCH_S)
    # 3 + 1 epochs of searches, a search of 4, and three retrainings of 2, on two slots.
    assert overview.left_s == pytest.approx((3 + 1 + 4 + 3 * 2) * EPOCH_S / 2)
    assert overview.unmeasured == [] and not overview.is_finished


def test_the_time_left_is_not_less_than_the_longest_trial(store: Store) -> None:
    short, long = tiny_trials("retrain.epochs=1", matrix={"search.epochs": [2, 100]})
    compute(store, short, "search", 1)
    compute(store, long, "search", 1)
    overview = Watcher(store, "tiny", [short, long]).look()
    assert overview.left_s == pytest.approx(99 * EPOCH_S)
    assert overview.unmeasured == ["retrain"]


def test_without_an_epoch_the_time_left_is_unknown(store: Store, trials: list[TrialSpec]) -> None:
    assert Watcher(store, "tiny", trials).look().left_s is None
    take(store, trials[0], "search")
    overview = Watcher(store, "tiny", trials).look()
    assert (overview.left_s, overview.epochs_per_h) == (None, 0)
    assert overview.nodes[0].num_stages == 1  # Its row is not written yet.


def test_the_last_failure_comes_first_and_a_shared_stage_once(store: Store) -> None:
    shared = tiny_trials(matrix={"retrain.seed": [0, 1]})
    others = tiny_trials(matrix={"seed": [1, 2]})
    for number, trial in enumerate([others[1], shared[0], others[0]]):
        attempt = take(store, trial, "search")
        attempt.fail("exception", ValueError(f"number {number}"))
        os.utime(attempt.paths.log, (number, number))
    failures = Watcher(store, "tiny", [*shared, *others]).look().failures
    assert [status.state.reason[-1] for status in failures] == ["2", "1", "0"]


def test_what_is_finished_is_not_read_again(store: Store, trials: list[TrialSpec]) -> None:
    for kind, epochs in (("search", 4), ("derive", 0), ("retrain", 2)):
        finish(store, trials[0], kind, epochs)
    watcher = Watcher(store, "tiny", trials)
    assert count(watcher.look().statuses)["done"] == 1  # type: ignore[index]
    shutil.rmtree(store.root / "stages")
    assert count(watcher.look().statuses)["done"] == 1  # type: ignore[index]


def test_the_runs_that_are_alive_are_named(store: Store, trials: list[TrialSpec]) -> None:
    submission = submit(store, "tiny", trials, tiny_sweep().resources)
    watcher = Watcher(store, "tiny", trials)
    with announced(store, submission) as driver:
        assert watcher.look().drivers == [driver]
    assert watcher.look().drivers == []
