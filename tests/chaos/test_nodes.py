"""Nodes, drivers, workers and the head of a Ray cluster die; the sweep ends all the same."""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacked import Undisturbed, assert_as_if_nothing_had_happened, submitted
from kills import Attack
from nodes import Nodes
from processes import LONG_S, Processes, num_epochs
from tiny_sweeps import wait_until

from orchestrate.running.status import count, sweep_status

NUM_NODES = 2


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    # Ray keeps its sessions in a folder of a short name.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as ray_tmp:
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
        processes = Processes(tmp_path / "home", RAY_TMPDIR=ray_tmp, **token)
        try:
            yield processes
        finally:
            processes.kill_all()


@pytest.fixture
def nodes(processes: Processes) -> Nodes:
    nodes = Nodes(processes, NUM_NODES)
    processes.backend = nodes.address
    return nodes


@pytest.mark.slow
def test_a_sweep_outlives_the_nodes_that_it_runs_on(
    tmp_path: Path,
    three: Undisturbed,
    chance: random.Random,
    processes: Processes,
    nodes: Nodes,
    pytestconfig: pytest.Config,
) -> None:
    most = pytestconfig.getoption("--raylets")
    kills, number = Counter[str](), 0
    while kills["raylet"] < most:
        number += 1
        store = submitted(tmp_path / f"store{number}", three.trials)
        left = most - kills["raylet"]
        attack = Attack(store, three.trials, processes, chance, nodes)
        of_this = attack.run(lambda of_this, left=left: of_this["raylet"] >= left)
        kills += of_this
        print(f"sweep {number}: {dict(of_this)}", flush=True)
        nodes.assert_lost_nodes_are_gone()
        assert_as_if_nothing_had_happened(store, three)
    nodes.stop()
    processes.assert_none_left()
    assert set(processes.output.read_text().splitlines()) == {"done done done"}
    print(f"{kills.total()} kills {dict(kills)} in {number} sweeps of {len(three.trials)} trials")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "lost"),
    [
        ("everything", "the head of the Ray cluster (gcs_server at "),
        ("gcs_server", "the head of the Ray cluster (gcs_server at "),
        ("raylet", "the process raylet of Ray on this node is gone"),
    ],
)
def test_a_run_whose_cluster_loses_its_head_says_so_and_the_next_one_continues(
    tmp_path: Path, three: Undisturbed, processes: Processes, nodes: Nodes, part: str, lost: str
) -> None:
    store = submitted(tmp_path / "store", three.trials)
    driver = processes.driver(store)
    wait_until(lambda: num_epochs(store) >= 1 or driver.poll() is not None, "an epoch", LONG_S)
    nodes.lose_head(part)
    wait_until(lambda: driver.poll() is not None, "the driver to end", LONG_S)
    output = processes.output.read_text()
    assert driver.returncode == 1, output
    (line,) = output.splitlines()
    assert line.startswith(f"error: {lost}")
    assert "running" not in count(sweep_status(store, three.trials))
    assert not list(store.root.glob("stages/*/*/*/attempts/a*/heartbeat"))
    nodes.stop()
    processes.assert_none_left()

    processes.backend = Nodes(processes, NUM_NODES).address
    processes.end_of(processes.driver(store))
    assert_as_if_nothing_had_happened(store, three)
