"""A process that seals, deletes or imports, to be killed: store_changer.py VERB STORE FOLDER.

It says "ready", waits for a line on standard input, and says "done" at the end.
"""

import sys
from pathlib import Path

from orchestrate.running.deletion import delete, doomed
from orchestrate.running.drivers import changing
from orchestrate.running.importing import import_sweep
from orchestrate.running.sealing import seal_finished
from results.store.store import Store


def main() -> None:
    verb, store = sys.argv[1], Store.open(sys.argv[2])
    store.read("epochs")  # Imports what is slow to import.
    print("ready", flush=True)
    sys.stdin.readline()
    if verb == "seal":
        seal_finished(store)
    elif verb == "delete":
        with changing(store, "sweep delete mine"):
            delete(doomed(store, "mine"))
    else:
        import_sweep(store, Path(sys.argv[3]))
    print("done", flush=True)


if __name__ == "__main__":
    main()
