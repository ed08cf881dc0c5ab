"""Sweeps that end before everything is computed: real commands on real processes."""

import json
import signal
from pathlib import Path

import command_process
import pytest
from sweep_rows import numbers
from tiny_sweeps import SETTINGS, wait_until

from results.store.store import Store

LONG = 10_000
"""Epochs: a stage of this length does not end by itself during a test."""
LONG_S = 600.0
"""The machine may be busy with other things."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def sweep_file(tmp_path: Path, matrix: str, **settings: object) -> Path:
    flat = {f"{part}.{name}": value for part in SETTINGS for name, value in SETTINGS[part].items()}
    lines = [f"{name} = {json.dumps(value)}" for name, value in (flat | settings).items()]
    path = tmp_path / "tiny.toml"
    path.write_text("\n".join(["[settings]", *lines, "[matrix]", matrix]))
    return path


@pytest.mark.slow
def test_a_run_that_another_process_stops_ends_with_its_own_exit_code(
    tmp_path: Path, store: Path
) -> None:
    file = sweep_file(tmp_path, "seed = [0, 1]", **{"search.epochs": LONG})
    options = ("--store", store, "--backend", "process", "--format", "json")
    with command_process.start("sweep", "run", file, *options) as run:
        assert run.stderr is not None
        while "search epoch 1/" not in run.stderr.readline():
            assert run.poll() is None
        stopped = command_process.run("sweep", "stop", "tiny", "--store", store)
        output, errors = run.communicate(timeout=120)
    assert stopped.returncode == 0 and "asked 1 run to stop" in stopped.stdout
    document = json.loads(output)
    assert (run.returncode, document["exit_code"], document["outcome"]) == (3, 3, "stopped")
    assert "asked for it with `fairdarts sweep stop`" in document["ended_early"]
    assert "Stopping: " in errors
    kinds = {row["failure_kind"] for row in Store.open(store).read("attempts").to_pylist()}
    assert kinds == {"stopped"}
    nothing = command_process.run("sweep", "stop", "tiny", "--store", store)
    assert nothing.returncode == 0 and "nothing to stop" in nothing.stdout


@pytest.mark.slow
def test_a_stage_in_the_middle_of_a_long_epoch_stops_at_once_and_ends_with_the_same_numbers(
    tmp_path: Path, store: Path
) -> None:
    long = {"data.num_train": 1200, "search.batch_size": 4, "search.epochs": 1}
    long |= {"retrain.epochs": 1, "retrain.batch_size": 100}
    file = sweep_file(tmp_path, "seed = [0]", **long)
    options = ("--store", store, "--backend", "process")
    with command_process.start("sweep", "run", file, *options) as run:
        wait_until(
            lambda: any(store.glob("stages/search/*/*/attempts/a0001/log.txt")), "it", LONG_S
        )
        stopped = command_process.run("sweep", "stop", "tiny", "--now", "--store", store)
        run.communicate()
    assert (stopped.returncode, run.returncode) == (0, 3)
    assert len(Store.open(store).read("epochs")) == 0
    whole = tmp_path / "whole"
    for place in (store, whole):
        options = ("--store", place, "--backend", "process")
        with command_process.start("sweep", "run", file, *options) as run:
            run.communicate()
        assert run.returncode == 0
    assert numbers(Store.open(store)) == numbers(Store.open(whole))


@pytest.mark.slow
def test_a_run_leaves_the_rest_to_others_if_it_may_and_they_go_on(
    tmp_path: Path, store: Path
) -> None:
    file = sweep_file(tmp_path, "seed = [0]", **{"search.epochs": LONG})
    options = ("--store", store, "--backend", "process")
    with command_process.start("sweep", "run", file, *options) as run:
        wait_until(lambda: any(store.glob("live/epochs/*.parquet")), "an epoch", LONG_S)
        soon = ("--set", "resources.leave_after=1s")
        left = command_process.run("sweep", "run", file, *options, *soon)
        assert run.poll() is None
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=120)
    assert left.returncode == 3
    assert "other runs compute all that is left (resources.leave_after)" in left.stdout


@pytest.mark.slow
def test_a_sweep_that_goes_wrong_stops_itself(tmp_path: Path, store: Path) -> None:
    file = sweep_file(tmp_path, "seed = [0, 1, 2]", **{"search.weight_lr": 1e20})
    one_by_one = ("--set", "resources.max_concurrent=1")
    options = ("--store", store, "--backend", "process", "--max-failures", "1")
    run = command_process.run("sweep", "run", file, *one_by_one, *options)
    assert run.returncode == 1
    assert "Stopped: 1 stage has failed (--max-failures)" in run.stdout
    assert "continue 2 unfinished trials with `fairdarts sweep run" in run.stdout
    assert "--max-failures 1`." in run.stdout
    assert len(Store.open(store).read("attempts")) == 1
