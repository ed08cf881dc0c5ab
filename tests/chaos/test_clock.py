"""Clocks that jump between two runs, or differ between two hosts, change nothing."""

from pathlib import Path

import pytest
from attacked import Undisturbed, assert_as_if_nothing_had_happened, submitted
from processes import LONG_S, Processes, num_epochs
from repository import ROOT, SUPPORT
from tiny_sweeps import wait_until

CLOCK = Path(__file__).parent / "clock"
DAY_S = 86_400


def clock(shift_s: int) -> dict[str, str]:
    """Variables of a process whose clock is shifted."""
    return {"CLOCK_SHIFT_S": str(shift_s), "PYTHONPATH": f"{CLOCK}:{ROOT}:{SUPPORT}"}


@pytest.mark.slow
def test_a_clock_that_is_set_back_or_forward_between_two_runs_changes_nothing(
    tmp_path: Path, three: Undisturbed
) -> None:
    processes = Processes(tmp_path / "home")
    store = submitted(tmp_path / "store", three.trials, at_once=1)
    try:
        for number, shift_s in enumerate((DAY_S, -DAY_S, 0), start=1):
            driver = processes.driver(store, env=clock(shift_s))
            if shift_s:
                goal = num_epochs(store) + number
                wait_until(lambda goal=goal: num_epochs(store) >= goal, "an epoch", LONG_S)
                driver.kill()
                driver.wait()
            else:
                processes.end_of(driver)
        processes.assert_none_left()
        assert_as_if_nothing_had_happened(store, three, attempts_are_known=False)
    finally:
        processes.kill_all()
    years = {row["started_at"].date() for row in store.read("attempts").to_pylist()}
    assert len(years) == 3, "the clocks were not set"


@pytest.mark.slow
def test_two_runs_whose_clocks_differ_share_a_sweep(tmp_path: Path, three: Undisturbed) -> None:
    processes = Processes(tmp_path / "home")
    store = submitted(tmp_path / "store", three.trials, at_once=1)
    try:
        drivers = [processes.driver(store, env=clock(shift_s)) for shift_s in (0, -DAY_S)]
        for driver in drivers:
            processes.end_of(driver)
        assert_as_if_nothing_had_happened(store, three)
    finally:
        processes.kill_all()
