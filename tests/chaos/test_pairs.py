"""Two drivers that start at the same moment share a sweep: nothing is computed twice."""

from pathlib import Path

import pytest
from attacked import Undisturbed, assert_as_if_nothing_had_happened, submitted
from processes import Processes
from sweep_rows import computed


@pytest.mark.slow
def test_pairs_of_drivers_share_a_sweep(
    tmp_path: Path, three: Undisturbed, pytestconfig: pytest.Config
) -> None:
    processes = Processes(tmp_path / "home")
    try:
        for number in range(pytestconfig.getoption("--pairs")):
            store = submitted(tmp_path / f"store{number}", three.trials, at_once=1)
            for driver in [processes.driver(store), processes.driver(store)]:
                processes.end_of(driver)
            assert_as_if_nothing_had_happened(store, three)
            assert set(computed(store).values()) == {1}, "an epoch was computed twice"
            print(f"pair {number + 1}", flush=True)
        processes.assert_none_left()
    finally:
        processes.kill_all()
