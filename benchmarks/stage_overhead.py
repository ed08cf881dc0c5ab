"""What recording a stage costs beside computing it: python -m benchmarks.stage_overhead

Computes the same search and the same retraining as stages of a sweep (lease, attempt, a row and a
checkpoint after every epoch, all flushed to the disk) and as plain functions of `fairdarts`, in
turn, in one process. A short and a long stage of each kind tell what a stage costs and what an
epoch costs. The last line adds that up for a trial of a search and a retraining.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.slots import SETTINGS
from benchmarks.timing import Timings, interleaved, table
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
TRIAL_EPOCHS = 20
"""Epochs of the search, and of the retraining, of the trial of the last line."""
TRIAL_S = 60.0


def main() -> None:
    """Print the overhead of a stage, of an epoch, and of a trial of a minute."""
    parser = argparse.ArgumentParser(description="What recording a stage costs.")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    rows = [("", "a stage", "CPU", "an epoch", "CPU")]
    trial_s = 0.0
    with tempfile.TemporaryDirectory(prefix="fairdarts-overhead-") as folder:
        for kind in ("search", "retrain"):
            of_short = _overhead(kind, SHORT, Path(folder), rounds)
            of_long = _overhead(kind, LONG, Path(folder), rounds)
            epoch = [(b - a) / (LONG - SHORT) for a, b in zip(of_short, of_long, strict=True)]
            stage = [a - SHORT * b for a, b in zip(of_short, epoch, strict=True)]
            cells = [f"{1000 * value:.0f} ms" for pair in (stage, epoch) for value in pair]
            rows.append((kind, *cells))
            trial_s += stage[0] + TRIAL_EPOCHS * epoch[0]
    print(table(rows))
    print(
        f"a trial of {TRIAL_EPOCHS} + {TRIAL_EPOCHS} epochs: {trial_s:.2f} s, "
        f"{trial_s / TRIAL_S:.1%} of {TRIAL_S:.0f} s"
    )


def _overhead(kind: str, epochs: int, folder: Path, rounds: int) -> tuple[float, float]:
    """Wall and CPU seconds that a stage of that many epochs takes more than its function."""
    # A stage is computed once: another seed is another stage that takes as long.
    matrix = {"method": ["fairdarts"], f"{kind}.seed": list(range(rounds + 1))}
    sets = [f"search.epochs={epochs}", f"retrain.epochs={epochs}", *SMALL]
    trials = plan(parse_sweep({"settings": SETTINGS, "matrix": matrix}, "overhead", sets))
    stages = [stage for trial in trials if (stage := trial.stage(kind)) is not None]
    store, runtime = Store.create(folder / f"{kind}{epochs}"), Runtime("cpu", 1)
    for stage in trials[0].stages:
        if stage.key == stages[0].key:
            break
        run_stage(stage, store, runtime)  # What it needs from the stages before it.
    plain = _plain(stages[0], store)
    variants = {"recorded": lambda: run_stage(stages.pop(), store, runtime), "plain": plain}
    timings = interleaved(variants, rounds, CPU)
    return _more(timings, "wall_s"), _more(timings, "cpu_s")


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


def _more(timings: dict[str, Timings], unit: str) -> float:
    pairs = zip(getattr(timings["recorded"], unit), getattr(timings["plain"], unit), strict=True)
    return statistics.median(recorded - plain for recorded, plain in pairs)


if __name__ == "__main__":
    main()
