"""What recording a stage costs beside computing it: python -m benchmarks.stage_overhead

Computes the same search and the same retraining as stages of a sweep (lease, attempt, a row and a
checkpoint after every epoch, all flushed to the disk) and as plain functions of `fairdarts`, in
turn, in one process. A short and a long stage of each kind tell what a stage costs and what an
epoch costs; the last row adds that up for a trial of a search and a retraining. How long the disk
takes to flush depends on the disk, and on what else is written to it; the number of flushes does
not.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.slots import SETTINGS
from benchmarks.timing import interleaved, table
from fairdarts.config import RetrainConfig, SearchConfig
from fairdarts.data.sources import load, load_train
from fairdarts.genotype.any_genotype import genotype_from_json
from fairdarts.network.retrain import retrain
from fairdarts.search.loop import search
from orchestrate.planning.images import data_settings
from orchestrate.planning.plan import StageSpec, plan
from orchestrate.planning.sweep_file import parse_sweep
from orchestrate.running.trial import run_stage
from orchestrate.stages.runtime import Runtime
from results.store.store import Store

CPU = torch.device("cpu")
SHORT, LONG = 1, 5
SMALL = ("data.num_train=20", "data.num_test=10", "search.batch_size=10", "retrain.batch_size=10")
"""What is computed does not matter, as it is subtracted."""
TRIAL_EPOCHS = 10
"""Epochs of the search, and of the retraining, of the trial of the last line."""
TRIAL_S = 60.0
UNITS = ("CPU ms", "flush ms", "flushes")
Cost = tuple[float, ...]
"""Seconds of CPU and of flushing, and the number of flushes."""


class Flushes:
    """Counts the files and folders that are flushed to the disk, and the seconds that takes."""

    def __init__(self) -> None:
        self.number, self.seconds = 0, 0.0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Inside, they are counted."""
        real = os.fsync

        def fsync(descriptor: int) -> None:
            began = time.perf_counter()
            real(descriptor)
            self.number, self.seconds = self.number + 1, self.seconds + time.perf_counter() - began

        with patch.object(os, "fsync", fsync):
            yield


def main() -> None:
    """Print the overhead of a stage, of an epoch, and of a trial of a minute."""
    parser = argparse.ArgumentParser(description="What recording a stage costs.")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    rows = [("", *(f"{name} {unit}" for name in ("stage", "epoch") for unit in UNITS))]
    trial: Cost = (0.0,) * len(UNITS)
    with tempfile.TemporaryDirectory(prefix="fairdarts-overhead-") as folder:
        for kind in ("search", "retrain"):
            of_short = _overhead(kind, SHORT, Path(folder), rounds)
            of_long = _overhead(kind, LONG, Path(folder), rounds)
            epoch = tuple((b - a) / (LONG - SHORT) for a, b in zip(of_short, of_long, strict=True))
            stage = tuple(a - SHORT * b for a, b in zip(of_short, epoch, strict=True))
            rows.append((kind, *_cells(stage), *_cells(epoch)))
            both = zip(trial, stage, epoch, strict=True)
            trial = tuple(sum_ + a + TRIAL_EPOCHS * b for sum_, a, b in both)
    rows.append((f"{TRIAL_EPOCHS} + {TRIAL_EPOCHS} epochs", *_cells(trial), *[""] * len(UNITS)))
    print(table(rows))
    print(f"together, of a trial of {TRIAL_S:.0f} s: {(trial[0] + trial[1]) / TRIAL_S:.1%}")


def _cells(cost: Cost) -> list[str]:
    return [f"{1000 * value:.0f}" for value in cost[:-1]] + [f"{cost[-1]:.0f}"]


def _overhead(kind: str, epochs: int, folder: Path, rounds: int) -> Cost:
    """What a stage of that many epochs costs more than its function."""
    # A stage is computed once: another seed is another stage that takes as long.
    matrix: dict[str, list[Any]] = {
        "method": ["fairdarts"],
        f"{kind}.seed": list(range(rounds + 1)),
    }
    sets = [f"search.epochs={epochs}", f"retrain.epochs={epochs}", *SMALL]
    trials = plan(parse_sweep({"settings": SETTINGS, "matrix": matrix}, "overhead", sets))
    stages = [stage for trial in trials if (stage := trial.stage(kind)) is not None]
    store, runtime = Store.create(folder / f"{kind}{epochs}"), Runtime("cpu", 1)
    for stage in trials[0].stages:
        if stage.key == stages[0].key:
            break
        run_stage(stage, store, runtime)  # What it needs from the stages before it.
    plain, flushes = _plain(stages[0], store), Flushes()
    variants = {"recorded": lambda: run_stage(stages.pop(), store, runtime), "plain": plain}
    with flushes.counted():
        timings = interleaved(variants, rounds, CPU)
    num_stages = rounds + 1  # One of them to warm up.
    return (
        _more(timings["recorded"].cpu_s, timings["plain"].cpu_s),
        flushes.seconds / num_stages,
        flushes.number / num_stages,
    )


def _plain(stage: StageSpec, store: Store) -> Callable[[], object]:
    """What the stage computes, and nothing else."""
    data = data_settings(stage.config["data"])
    if stage.kind == "search":
        config = SearchConfig.build(stage.config["search"], "search")
        return lambda: search(config, load_train(data), device=CPU, on_epoch=_ignore)
    recipe = RetrainConfig.build(stage.config["retrain"], "retrain")
    assert stage.parent is not None
    (row,) = store.read("genotypes", [stage.parent]).to_pylist()
    genotype = genotype_from_json(row["genotype_json"])
    return lambda: retrain(genotype, recipe, *load(data), device=CPU, on_epoch=_ignore)


def _ignore(epoch: object, state: object) -> None:
    pass


def _more(recorded: list[float], plain: list[float]) -> float:
    return statistics.median(a - b for a, b in zip(recorded, plain, strict=True))


if __name__ == "__main__":
    main()
