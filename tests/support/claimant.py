"""A process that submits a plan of its own and prints the number it got.

Usage: claimant.py STORE EPOCHS; it waits for a line on standard input.
"""

import sys

from tiny_sweeps import tiny_sweep, tiny_trials

from orchestrate.planning.submission import submit
from results.store.store import Store


def main() -> None:
    assignment = f"search.epochs={sys.argv[2]}"
    trials, resources = tiny_trials(assignment), tiny_sweep(assignment).resources
    store = Store.open(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    print(submit(store, "tiny", trials, resources).number, flush=True)


if __name__ == "__main__":
    main()
