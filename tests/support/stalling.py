"""Computes a long search, which reads its images from their files.

Usage: stalling.py STORE STALL_AFTER ASSIGNMENT...
"""

import sys

from tiny_sweeps import tiny_trials

from orchestrate.running.trial import run_stage
from orchestrate.stages.runtime import Runtime
from results.store.store import Store


def main() -> None:
    store, stall_after, *assignments = sys.argv[1:]
    stage = tiny_trials("search.epochs=400", *assignments)[0].stages[0]
    runtime = Runtime("cpu", num_threads=1)
    run_stage(stage, Store.open(store), runtime, stall_after=float(stall_after))


if __name__ == "__main__":
    main()
