"""`fairdarts sweep stop` ends runs of other processes, and they can be continued."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from in_process import exit_code
from tiny_sweeps import key_of, tiny_sweep, tiny_trials, wait_until

from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import Submission, load_submission, submit
from orchestrate.running.runner import run_here
from orchestrate.running.status import TrialStatus, sweep_status
from results.store.store import Store

Stop = Callable[..., tuple[int, str]]
LONG = 10_000
"""Epochs: a stage of this length does not end by itself during a test."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def stop(capsys: pytest.CaptureFixture[str], store: Store) -> Stop:
    def stop(*arguments: str) -> tuple[int, str]:
        code = exit_code("sweep", "stop", *arguments, "--store", store.root)
        out, err = capsys.readouterr()
        return code, out or err

    return stop


def submitted(store: Store, trials: list[TrialSpec]) -> Submission:
    return submit(store, "tiny", trials, tiny_sweep().resources)


@contextmanager
def running(store: Store, trials: list[TrialSpec]) -> Iterator[list[TrialStatus]]:
    """A run of the sweep in another thread, once it has finished an epoch; it ends by itself."""
    submission = submitted(store, trials)
    ended: list[TrialStatus] = []
    thread = threading.Thread(target=lambda: ended.extend(run_here(store, submission)))
    thread.start()
    wait_until(lambda: len(store.read("epochs")) > 0, "the first epoch")
    yield ended
    thread.join()


def test_a_run_ends_after_its_epoch_and_the_next_one_continues(store: Store, stop: Stop) -> None:
    trials = tiny_trials(f"search.epochs={LONG}", matrix={"seed": [0, 1]})
    with running(store, trials) as ended:
        code, out = stop("tiny")
        assert code == 0 and "tiny: asked 1 run to stop" in out
        assert "those that are being computed end after the epoch." in out
        assert f"`fairdarts sweep resume tiny --store {store.root}`" in out
    assert [status.status for status in ended] == ["lost", "pending"]
    assert "asked for it with `fairdarts sweep stop`" in ended[0].state.reason
    (row,) = store.read("attempts").to_pylist()
    assert (row["status"], row["failure_kind"]) == ("lost", "stopped")
    done = len(store.read("epochs"))
    with running(store, trials):
        wait_until(lambda: len(store.read("epochs")) > done, "an epoch of the next run")
        stop("tiny")
    first, second = store.read("attempts").sort_by("attempt").to_pylist()
    assert second["resumed_from_epoch"] == done - 1
    assert first["stage_key"] == second["stage_key"] == key_of(trials[0], "search")


def test_only_one_trial_stops_if_it_is_named(store: Store, stop: Stop) -> None:
    short = tiny_trials("search.epochs=1", "retrain.epochs=1")
    long = tiny_trials(f"search.epochs={LONG}", "seed=1")
    with running(store, [*long, *short]) as ended:
        code, out = stop("tiny", long[0].trial_id[:8])
        assert code == 0 and "the other trials go on" in out
    assert [status.status for status in ended] == ["lost", "done"]
    assert stop("tiny", short[0].trial_id)[1].startswith("tiny: nothing to stop")


def test_a_search_that_another_trial_needs_too_goes_on(store: Store, stop: Stop) -> None:
    trials = tiny_trials("search.epochs=3", "retrain.epochs=1", matrix={"retrain.seed": [0, 1]})
    with running(store, trials) as ended:
        assert stop("tiny", trials[0].trial_id)[0] == 0
    assert [status.status for status in ended] == ["pending", "done"]
    assert ended[0].stage.kind == "retrain"


def test_where_nothing_runs_there_is_nothing_to_stop(store: Store, stop: Stop) -> None:
    (trial,) = trials = tiny_trials()
    assert stop("tiny")[0] == 2  # There is no such sweep.
    submitted(store, trials)
    for arguments in (["tiny"], ["tiny", trial.trial_id]):
        assert stop(*arguments) == (0, "tiny: nothing to stop, because no run of it is alive.\n")
    (status,) = sweep_status(store, load_submission(store, "tiny").trials)
    assert status.status == "pending"


def test_a_trial_that_no_run_has_is_refused(store: Store, stop: Stop) -> None:
    other = tiny_trials("seed=7")
    submit(store, "other", other, tiny_sweep().resources)
    with running(store, tiny_trials(f"search.epochs={LONG}")):
        code, out = stop("tiny", other[0].trial_id)
        assert code == 2 and "is not a trial of a run of tiny" in out
        stop("tiny")
