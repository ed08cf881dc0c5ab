"""How busy a sweep keeps its slots: python -m benchmarks.slots [EXAMPLE...]

Runs small sweeps on Ray with two slots and reads, from the table `attempts`, when each stage ran in
which process. Prints, of each example:

- span: seconds from the start of the first stage to the end of the last one;
- busy: part of that time, over both slots, in which a stage was computed;
- best: the same if no time passed between stages, each of which needs the one before it;
- of it: the first as a share of the second;
- gap: seconds between two stages in one process, while there was something ready: median and most;
- wall: seconds of the whole command, over those of its stages divided by two.

Seconds are those of a machine that may be busy with other things; shares and ratios are not.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrate.planning.plan import TrialSpec, plan
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import submit
from orchestrate.planning.sweep_file import Sweep, load_sweep, parse_sweep
from orchestrate.running.agenda import QUICK
from orchestrate.running.runner import run_sweep
from results.store.store import Store

SLOTS = 2
SETTINGS = {
    "data": {"source": "digits", "num_train": 80, "num_test": 40, "image_size": 8},
    "search": {"init_channels": 2, "num_cells": 3, "batch_size": 20},
    "derive": {"op_threshold": 0.3},
    "retrain": {
        "init_channels": 2,
        "num_cells": 3,
        "epochs": 8,
        "batch_size": 20,
        "auxiliary_weight": 0.0,
        "cutout": 0,
    },
}
EXAMPLES: dict[str, dict[str, list[Any]]] = {
    "two searches of 3 and 30 epochs": {"search.epochs": [3, 30], "retrain.seed": [0, 1, 2]},
    "one search of 8 epochs": {"search.epochs": [8], "retrain.seed": [0, 1, 2, 3]},
}
QUICKSTART = "quickstart"


@dataclass(frozen=True)
class Stage:
    """When a stage was computed, in seconds since the first one began."""

    key: str
    kind: str
    parent: str | None
    process: str
    start_s: float
    end_s: float

    @property
    def wall_s(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s


def main() -> None:
    """Run the examples and print a line for each."""
    names = [*EXAMPLES, QUICKSTART]
    parser = argparse.ArgumentParser(description="How busy a sweep keeps its slots.")
    parser.add_argument("examples", nargs="*", metavar="EXAMPLE", help=", ".join(names))
    chosen = parser.parse_args().examples or names
    print(f"{'':32} {'span':>7} {'busy':>6} {'best':>6} {'of it':>6} {'gap':>13} {'wall':>6}")
    for name in chosen:
        sweep = load_sweep(name) if name == QUICKSTART else _sweep(EXAMPLES[name])
        print(f"{name:32} {_measured(sweep)}", flush=True)


def _sweep(matrix: dict[str, list[Any]]) -> Sweep:
    return parse_sweep({"settings": SETTINGS, "matrix": matrix}, "slots", [])


def _measured(sweep: Sweep) -> str:
    with tempfile.TemporaryDirectory(prefix="fairdarts-slots-") as folder:
        store = Store.create(Path(folder) / "store")
        trials = plan(sweep)
        resources = Resources(gpus_per_trial=0, max_concurrent=SLOTS)
        submission = submit(store, sweep.name, trials, resources)
        began = time.monotonic()
        statuses = run_sweep(store, submission).statuses
        wall_s = time.monotonic() - began
        assert all(status.finished for status in statuses)
        stages = _stages(store, trials)
    span_s = max(stage.end_s for stage in stages)
    total_s = sum(stage.wall_s for stage in stages)
    busy, best = (total_s / SLOTS / seconds for seconds in (span_s, _best_s(stages)))
    gaps = _gaps(stages)
    return (
        f"{span_s:6.1f}s {busy:6.0%} {best:6.0%} {busy / best:6.0%} "
        f"{statistics.median(gaps):5.2f} {max(gaps):5.2f}s {wall_s / (total_s / SLOTS):6.2f}"
    )


def _stages(store: Store, trials: list[TrialSpec]) -> list[Stage]:
    parents = {stage.key: stage.parent for trial in trials for stage in trial.stages}
    rows = store.read("attempts").to_pylist()
    first = min(row["started_at"] for row in rows)
    return [
        Stage(
            row["stage_key"],
            row["kind"],
            parents[row["stage_key"]],
            f"{row['host']} {row['pid']}",
            (row["started_at"] - first).total_seconds(),
            (row["ended_at"] - first).total_seconds(),
        )
        for row in rows
    ]


def _best_s(stages: list[Stage]) -> float:
    """Seconds that the same stages take in the slots if no time passes between them.

    Of the stages that are ready, the one with the longest way to the end goes first.
    """
    children: dict[str | None, list[Stage]] = {}
    for stage in stages:
        children.setdefault(stage.parent, []).append(stage)

    def way_s(stage: Stage) -> float:
        return stage.wall_s + max(map(way_s, children.get(stage.key, [])), default=0.0)

    ready = list(children[None])
    running: list[tuple[float, Stage]] = []
    now_s = 0.0
    while ready or running:
        ready.sort(key=way_s)
        while ready and len(running) < SLOTS:
            stage = ready.pop()
            running.append((now_s + stage.wall_s, stage))
        now_s, ended = min(running, key=lambda entry: entry[0])
        running.remove((now_s, ended))
        ready += children.get(ended.key, [])
    return now_s


def _gaps(stages: list[Stage]) -> list[float]:
    """Seconds that a process waited for its next stage although that one was ready."""
    ended = {stage.key: stage.end_s for stage in stages}
    gaps = []
    for stage in stages:
        if stage.kind in QUICK:  # The driver computes it, and not in a slot.
            continue
        before = [
            other.end_s
            for other in stages
            if other.process == stage.process and other.end_s <= stage.start_s
        ]
        if before:
            ready_s = ended.get(stage.parent or "", 0.0)
            gaps.append(stage.start_s - max(*before, ready_s))
    return gaps or [0.0]


if __name__ == "__main__":
    main()
