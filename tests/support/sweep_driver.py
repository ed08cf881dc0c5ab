"""A driver to be watched and killed: runs the newest submission of a sweep.

Usage: sweep_driver.py STORE SWEEP ray|process|HOST:PORT [retry]; HOST:PORT is the head of a cluster
to join. Prints the status of every trial at the end.
"""

import sys


def main() -> None:
    # Not above: the processes that it starts import this file first, as they do with the command.
    from orchestrate.planning.submission import load_submission
    from orchestrate.running.backend import Backend
    from orchestrate.running.retry import EVERY_KIND
    from orchestrate.running.runner import run_sweep
    from results.store.store import Store

    store = Store.open(sys.argv[1])
    submission = load_submission(store, sys.argv[2])
    address = sys.argv[3] if ":" in sys.argv[3] else None
    backend = Backend.RAY if address else Backend(sys.argv[3])
    retry = EVERY_KIND if "retry" in sys.argv[4:] else ()
    end = run_sweep(store, submission, backend=backend, address=address, retry=retry)
    print(" ".join(status.status for status in end.statuses))


if __name__ == "__main__":
    main()
