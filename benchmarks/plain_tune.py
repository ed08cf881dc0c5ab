"""Sweeps of many short trials beside plain Ray Tune: python -m benchmarks.plain_tune [TRIALS...]

A trial draws a random genotype and trains it for one epoch on 20 images, in less than a second:
what is measured is nearly all starts, bookkeeping and files. Plain Tune runs the same functions of
`fairdarts` and records one number of each trial. It is run as it comes, with a process for each
trial, and with `reuse_actors`. Each of the three has its own Ray with two slots.

Prints wall seconds from the start of Ray to its end, the same for each trial beside those of the
smallest sweep (a tenth of the trials), so that the start of Ray does not count, and the most memory
that the driver held.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.slots import SETTINGS, SLOTS
from orchestrate.planning.plan import TrialSpec, plan
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import submit
from orchestrate.planning.sweep_file import parse_sweep

SMALL = ("data.num_train=20", "data.num_test=10", "retrain.batch_size=10", "retrain.epochs=1")
FEWER = 10
"""The smaller sweep has this many times fewer trials."""
MIB = 2**20


def main() -> None:
    """Print a table for each number of trials."""
    parser = argparse.ArgumentParser(description="Short trials beside plain Ray Tune.")
    parser.add_argument("trials", nargs="*", type=int, default=[50, 300])
    parser.add_argument("--only", choices=sorted(VARIANTS), help="One of them, in this process.")
    given = parser.parse_args()
    if given.only is not None:
        VARIANTS[given.only](_trials(*given.trials))
        return
    for number in given.trials:
        print(f"{f'{number} trials':20} {'wall s':>8} {'s a trial':>10} {'driver MiB':>11}")
        for name in VARIANTS:
            few_s, _ = _measured(name, number // FEWER)
            many_s, memory = _measured(name, number)
            each_s = (many_s - few_s) / (number - number // FEWER)
            print(f"{name:20} {many_s:8.0f} {each_s:10.2f} {memory / MIB:11.0f}", flush=True)


def _measured(variant: str, num_trials: int) -> tuple[float, int]:
    """Wall seconds of a process that runs so many trials, and the most memory it held, in bytes."""
    command = [sys.executable, "-m", "benchmarks.plain_tune", str(num_trials), "--only", variant]
    began, most = time.monotonic(), 0
    with tempfile.TemporaryFile() as output:
        driver = subprocess.Popen(command, stdout=output, stderr=output)
        while driver.poll() is None:
            most = max(most, _held(driver.pid))
            time.sleep(0.2)
        output.seek(0)
        assert driver.returncode == 0, output.read().decode()
    return time.monotonic() - began, most


def _held(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _trials(number: int) -> list[TrialSpec]:
    table = {"settings": SETTINGS, "random": [{"models": number}]}
    return plan(parse_sweep(table, "plain_tune", list(SMALL)))


def _fairdarts(trials: list[TrialSpec]) -> None:
    from orchestrate.running.runner import run_sweep
    from results.store.store import Store

    with tempfile.TemporaryDirectory(prefix="fairdarts-plain-") as folder:
        store = Store.create(Path(folder) / "store")
        resources = Resources(gpus_per_trial=0, max_concurrent=SLOTS)
        end = run_sweep(store, submit(store, "plain_tune", trials, resources))
        assert all(status.finished for status in end.statuses)


def _tune(trials: list[TrialSpec], reuse_actors: bool) -> None:
    import ray
    from ray import tune

    configs = [{stage.kind: stage.config for stage in trial.stages} for trial in trials]

    def train(config: dict[str, int]) -> dict[str, float]:
        return {"test_top1_pct": accuracy(configs[config["trial"]])}

    ray.init(num_cpus=SLOTS, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory(prefix="fairdarts-plain-") as folder:
        results = tune.Tuner(
            tune.with_resources(train, {"cpu": 1}),
            param_space={"trial": tune.grid_search(list(range(len(configs))))},
            tune_config=tune.TuneConfig(reuse_actors=reuse_actors),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        assert results.num_terminated == len(configs) and results.num_errors == 0
    ray.shutdown()


def accuracy(config: dict[str, dict[str, Any]]) -> float:
    """The test accuracy, in percent, of a random genotype that is drawn and trained here."""
    import torch

    from fairdarts.config import RetrainConfig, SampleConfig
    from fairdarts.data.sources import load
    from fairdarts.genotype.sampling import sample
    from fairdarts.network.retrain import retrain
    from orchestrate.planning.images import data_settings

    torch.set_num_threads(1)
    genotype = sample(SampleConfig.build(config["sample"], "random"))
    recipe = RetrainConfig.build(config["retrain"]["retrain"], "retrain")
    images = load(data_settings(config["retrain"]["data"]))
    reached: list[float] = []
    retrain(
        genotype,
        recipe,
        *images,
        device=torch.device("cpu"),
        on_epoch=lambda epoch, state: reached.append(epoch.metrics["test_top1_pct"]),
    )
    return reached[-1]


VARIANTS: dict[str, Callable[[list[TrialSpec]], None]] = {
    "fairdarts": _fairdarts,
    "Tune, reuse_actors": lambda trials: _tune(trials, reuse_actors=True),
    "Tune": lambda trials: _tune(trials, reuse_actors=False),
}


if __name__ == "__main__":
    main()
