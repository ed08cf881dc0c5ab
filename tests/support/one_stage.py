"""Computes one of two different stages in this process, as a worker of a sweep does.

Usage: one_stage.py STORE first|second
"""

import sys

from tiny_sweeps import tiny_trials

from orchestrate.running.trial import run_stage
from orchestrate.stages.runtime import Runtime
from orchestrate.stages.surroundings import own_surroundings
from results.store.store import Store

SETTINGS = {
    "first": ("method=darts", "search.batch_size=10", "search.epochs=1"),
    "second": ("method=fairdarts", "seed=3", "search.epochs=1"),
}
THREADS = {"first": 2, "second": 1}


def compute(store: Store, name: str) -> None:
    (trial,) = tiny_trials(*SETTINGS[name])
    with own_surroundings(0o022):
        assert run_stage(trial.stages[0], store, Runtime("cpu", THREADS[name])) == "ok"


if __name__ == "__main__":
    compute(Store.open(sys.argv[1]), sys.argv[2])
