"""Runs that are alive, and the requests to stop them, by the files of a store alone."""

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_sweeps import tiny_sweep, tiny_trials

from orchestrate.planning.submission import Submission, submit
from orchestrate.running.drivers import StopRequest, announced, live_drivers, stop_request
from orchestrate.running.trial import run_stage
from orchestrate.stages.runtime import Runtime
from orchestrate.stages.state import stage_state
from results.store.store import Store

KEY = "0123456789abcdef"
ASKED = StopRequest("a person asked for it")
DIES = """
import os, sys
from orchestrate.planning.submission import load_submission
from orchestrate.running.drivers import announced
from results.store.store import Store

store = Store.open(sys.argv[1])
with announced(store, load_submission(store, "tiny")):
    os._exit(0)
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def submission(store: Store) -> Submission:
    return submit(store, "tiny", tiny_trials(), tiny_sweep().resources)


def test_a_run_is_known_by_its_sweep_for_as_long_as_it_goes_on(
    store: Store, submission: Submission
) -> None:
    with announced(store, submission) as driver:
        (found,) = live_drivers(store, "tiny")
        assert found == driver and "pid" in found.holder
        assert found.trials(store) == submission.trials
        assert live_drivers(store, "other") == []
    assert live_drivers(store, "tiny") == [] and store.driver_dirs() == []


def test_a_run_whose_process_was_killed_is_not_alive_and_the_next_one_tidies_up(
    store: Store, submission: Submission
) -> None:
    subprocess.run([sys.executable, "-c", DIES, str(store.root)], check=True, timeout=60)
    (left,) = store.driver_dirs()
    assert live_drivers(store, "tiny") == []
    with announced(store, submission) as driver:
        assert store.driver_dirs() == [driver.folder] != [left]


def test_a_request_is_for_the_runs_that_were_alive_and_for_no_later_one(
    store: Store, submission: Submission
) -> None:
    with announced(store, submission) as driver:
        for _ in range(2):  # It may be repeated.
            driver.ask_to_stop(ASKED)
        assert driver.request() == ASKED
        assert stop_request(store, driver.run, KEY) == ASKED
        with announced(store, submission) as other:
            assert other.request() is None
    driver.ask_to_stop(ASKED)  # Too late: nothing is left to wait for a later run.
    assert store.driver_dirs() == []


def test_a_stage_is_stopped_alone_and_the_request_can_be_taken_back(
    store: Store, submission: Submission
) -> None:
    with announced(store, submission) as driver:
        driver.ask_to_stop(ASKED, KEY)
        assert driver.request() is None
        assert driver.stopped_stages() == {KEY: ASKED}
        assert stop_request(store, driver.run, KEY) == ASKED
        assert stop_request(store, driver.run, KEY[::-1]) is None
        driver.withdraw(KEY)
        assert stop_request(store, driver.run, KEY) is None
    assert stop_request(store, "", KEY) is None  # A process outside of runs.


def test_a_stage_ends_after_its_epoch_or_if_asked_at_once_without_it(
    store: Store, submission: Submission
) -> None:
    search = submission.trials[0].stages[0]
    for now, epochs in ((True, 0), (False, 1)):
        with announced(store, submission) as driver:
            driver.ask_to_stop(StopRequest("a person asked for it", now=now))
            run_stage(search, store, Runtime("cpu", num_threads=1), run=driver.run)
        assert stage_state(store.stage_dir("search", search.key)).failure_kind == "stopped"
        assert len(store.read("epochs")) == epochs
