"""Clocks that jump between two runs, or differ between two hosts, change nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest
from attacked import Undisturbed, assert_as_if_nothing_had_happened, submitted
from processes import LONG_S, Processes, num_epochs
from tiny_sweeps import wait_until

DAY_S = 86_400


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that shifts the clock of a process that loads it."""
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("needs a C compiler")
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("shifted_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def clock(library: Path, shift_s: int) -> dict[str, str]:
    """Variables of a process whose clock is shifted."""
    return {"LD_PRELOAD": str(library), "CLOCK_SHIFT_S": str(shift_s)}


@pytest.mark.slow
def test_a_clock_that_is_set_back_or_forward_between_two_runs_changes_nothing(
    tmp_path: Path, three: Undisturbed, library: Path
) -> None:
    processes = Processes(tmp_path / "home")
    store = submitted(tmp_path / "store", three.trials, at_once=1)
    try:
        for number, shift_s in enumerate((DAY_S, -DAY_S, 0), start=1):
            driver = processes.driver(store, env=clock(library, shift_s))
            if shift_s:
                goal = num_epochs(store) + number
                wait_until(
                    lambda goal=goal, driver=driver: (
                        num_epochs(store) >= goal or driver.poll() is not None
                    ),
                    "an epoch",
                    LONG_S,
                )
                assert driver.poll() is None, processes.output.read_text()
                driver.kill()
                driver.wait()
            else:
                processes.end_of(driver)
        processes.assert_none_left()
        assert_as_if_nothing_had_happened(store, three, attempts_are_known=False)
    finally:
        processes.kill_all()
    days = {row["started_at"].date() for row in store.read("attempts").to_pylist()}
    assert len(days) == 3, "the clocks were not set"


@pytest.mark.slow
def test_two_runs_whose_clocks_differ_share_a_sweep(
    tmp_path: Path, three: Undisturbed, library: Path
) -> None:
    processes = Processes(tmp_path / "home")
    store = submitted(tmp_path / "store", three.trials, at_once=1)
    try:
        drivers = [processes.driver(store, env=clock(library, shift_s)) for shift_s in (0, -DAY_S)]
        for driver in drivers:
            processes.end_of(driver)
        assert_as_if_nothing_had_happened(store, three)
    finally:
        processes.kill_all()
