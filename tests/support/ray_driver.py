"""A driver to be watched and killed: runs the newest submission of a sweep on a Ray of its own.

Usage: ray_driver.py STORE SWEEP [retry]; prints the status of every trial at the end.
"""

import sys

from orchestrate.planning.submission import load_submission
from orchestrate.running.runner import run_sweep
from results.store.store import Store


def main() -> None:
    store = Store.open(sys.argv[1])
    submission = load_submission(store, sys.argv[2])
    end = run_sweep(store, submission, retry_failed="retry" in sys.argv[3:])
    print(" ".join(status.status for status in end.statuses))


if __name__ == "__main__":
    main()
