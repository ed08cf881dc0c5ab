"""Run a tiny trial on a disk that is full, then once more with room; prints what became of it.

Usage: full_disk.py FOLDER, which is a file system of its own.
"""

import shutil
import sys
from pathlib import Path

from tiny_sweeps import tiny_sweep, tiny_trials

from orchestrate.planning.submission import submit
from orchestrate.running.runner import run_here
from results.store.store import Store

LEFT_BYTES = 250_000
"""Enough for rows, too little for a checkpoint."""


def main() -> None:
    folder = Path(sys.argv[1])
    store = Store.create(folder / "store")
    trials = tiny_trials("retrain.init_channels=16", matrix={}, random=[{"models": 1}])
    submission = submit(store, "tiny", trials, tiny_sweep().resources)
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(folder).free - LEFT_BYTES))
    (status,) = run_here(store, submission)
    print(status.status, status.stage.kind)
    print("reason", status.state.reason)
    print("kind", store.read("attempts", [status.stage.key]).to_pylist()[0]["failure_kind"])
    print("temporary files", len(list(store.root.rglob("*.tmp"))))
    ballast.unlink()
    (status,) = run_here(store, submission)
    print(status.status, status.stage.kind)


if __name__ == "__main__":
    main()
