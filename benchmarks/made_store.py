"""A store of a finished sweep that nobody computed: python -m benchmarks.made_store DIR TRIALS.

Trials, plan, folders and files are those of a real sweep, written with the functions that a run
writes them with; only the numbers are drawn. Each trial is a search of 50 epochs with 196 alphas, a
derivation and a retraining. Files are not flushed to the disk one by one, which would take most of
the time; otherwise everything is as a run leaves it, apart from checkpoints.

    python -m benchmarks.made_store DIR TRIALS --finished SOME
    python -m benchmarks.store_times DIR seal
    python -m benchmarks.made_store DIR TRIALS

finishes some of the trials, seals them (and measures that), and finishes the others, which stay
live.
"""

import argparse
import tomllib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.store_times import RETRAIN_EPOCHS, SEARCH_EPOCHS, SWEEP, sweep_text
from fairdarts.genotype.published import published
from orchestrate.planning.plan import StageSpec, plan
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import submit
from orchestrate.planning.sweep_file import parse_sweep
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.stage_run import Row
from orchestrate.statuses import Outcome
from results.statuses import AttemptStatus
from results.store.files import write_json
from results.store.holder import this_process
from results.store.layout import live_name
from results.store.store import Store

NUM_ALPHAS = 196
"""Of S1: 2 cells x 14 edges x 7 operations."""
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
EPOCH_S = 100.0
VERSIONS = '{"python": "3.11", "torch": "2.10", "timm": "1.0", "ray": "2.52", "fairdarts": "1.0"}'


def main() -> None:
    """Make the store that the command line asks for."""
    parser = argparse.ArgumentParser(description="Make a store of a finished sweep.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("trials", type=int, metavar="TRIALS")
    parser.add_argument("--finished", type=int, metavar="SOME", help="finish only so many")
    given = parser.parse_args()
    make_store(given.folder, given.trials, given.finished)


def make_store(folder: Path, num_trials: int, num_finished: int | None = None) -> Store:
    """Make a store of finished trials, or finish those of one that it made.

    Args:
        folder: Where to make it.
        num_trials: How many trials its sweep has.
        num_finished: How many of them are finished; None: all.
    """
    store = Store.create(folder)
    trials = plan(parse_sweep(tomllib.loads(sweep_text(num_trials)), SWEEP, []))
    maker = _Maker(store)
    with patch("os.fsync", lambda descriptor: None):
        if SWEEP not in store.sweep_names():
            submit(store, SWEEP, trials, Resources())
        for trial in trials[:num_finished]:
            for stage in trial.stages:
                maker.finish(stage)
    return store


class _Maker:
    """Finishes stages without computing them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.random = np.random.default_rng(0)
        self.holder = this_process("made")
        self.genotype = published("FairDARTS_b").genotype
        self.now = BEGAN

    def finish(self, stage: StageSpec) -> None:
        """Write what a stage leaves behind when it is done, unless it is there."""
        paths = StagePaths(self.store.stage_dir(stage.kind, stage.key))
        if paths.done.exists():
            return
        attempt = paths.attempt(1)
        attempt.folder.mkdir(parents=True)
        write_json(paths.spec, asdict(stage))
        write_json(attempt.lease, self.holder)
        attempt.released.touch()
        attempt.log.write_text(f"2026-01-01 00:00:00 attempt 1 at {stage.kind} {stage.key}\n")
        rows = {"search": self._search, "derive": self._derive, "retrain": self._retrain}
        for table, of_table in rows[stage.kind](stage).items():
            self.store.write_rows(table, live_name(stage.key, 1), of_table)
        self._attempt(stage)
        write_json(paths.done, {"attempt": 1, "outcome": Outcome.OK, "reason": ""})

    def _attempt(self, stage: StageSpec) -> None:
        began, self.now = self.now, self.now + timedelta(seconds=EPOCH_S)
        row = {
            "stage_key": stage.key,
            "attempt": 1,
            "kind": stage.kind,
            "status": AttemptStatus.OK,
            "started_at": began,
            "ended_at": self.now,
            "wall_s": EPOCH_S,
            "host": self.holder["host"],
            "pid": self.holder["pid"],
            "device": "cpu",
            "num_threads": 1,
            "peak_memory_mib": 512.0,
            "versions_json": VERSIONS,
        }
        self.store.write_rows("attempts", live_name(stage.key, 1), [row])

    def _search(self, stage: StageSpec) -> dict[str, list[Row]]:
        steps = self.random.normal(0, 0.3, (SEARCH_EPOCHS, NUM_ALPHAS)).astype(np.float32)
        alphas = steps.cumsum(axis=0)
        gates = 1 / (1 + np.exp(-alphas))
        rows = [
            self._epoch(stage, epoch)
            | {
                "arch_loss": 1.0,
                "arch_top1_pct": 50.0 + epoch,
                "zero_one_loss": -0.1,
                "num_dominant": int((gates[epoch] > 0.75).sum()),
                "num_dominant_skip": 3,
                "alphas": alphas[epoch],
                "gates": gates[epoch],
            }
            for epoch in range(SEARCH_EPOCHS)
        ]
        return {"epochs": rows}

    def _derive(self, stage: StageSpec) -> dict[str, list[Row]]:
        text = self.genotype.to_json()
        row = {
            "stage_key": stage.key,
            "kind": stage.kind,
            "search_key": stage.parent,
            "rule": "threshold",
            "op_threshold": 0.85,
            "genotype_json": text,
            "raw_genotype_json": text,
            "valid": True,
            "stable_epochs": 3,
            "epoch": SEARCH_EPOCHS - 1,
            **self.genotype.summary(),
        }
        return {"genotypes": [row]}

    def _retrain(self, stage: StageSpec) -> dict[str, list[Row]]:
        accuracies = np.sort(self.random.normal(97, 0.2, RETRAIN_EPOCHS)).tolist()
        rows = [
            self._epoch(stage, epoch) | {"test_loss": 0.1, "test_top1_pct": accuracy}
            for epoch, accuracy in enumerate(accuracies)
        ]
        row = {
            "stage_key": stage.key,
            "derive_key": stage.parent,
            "epochs": RETRAIN_EPOCHS,
            "test_top1_pct": accuracies[-1],
            "best_test_top1_pct": accuracies[-1],
            "best_epoch": RETRAIN_EPOCHS - 1,
            "params": 3_000_000 + int(self.random.integers(1_000_000)),
            "multadds": 450_000_000,
            "image_size": 8,
            "init_channels": 36,
            "num_cells": 20,
            "wall_s": RETRAIN_EPOCHS * EPOCH_S,
        }
        return {"epochs": rows, "retrains": [row]}

    def _epoch(self, stage: StageSpec, epoch: int) -> Row:
        return {
            "stage_key": stage.key,
            "kind": stage.kind,
            "attempt": 1,
            "epoch": epoch,
            "train_loss": float(self.random.random()),
            "train_top1_pct": 90.0,
            "lr": 0.025,
            "wall_s": EPOCH_S + float(self.random.random()),
            "images_per_s": 1000.0,
            "written_at": self.now + timedelta(seconds=epoch),
        }


if __name__ == "__main__":
    main()
