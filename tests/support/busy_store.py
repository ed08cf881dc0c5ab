"""Processes that change a store without end: busy_store.py VERB STORE JOURNAL.

`write` finishes the trials of a sweep in two attempts at each stage, deletes the sweep, and begins
anew. Before and after each change of the epochs of a stage it writes a line to the journal, so that
readers know what they may see. `seal` seals what is done.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recorded_trials import NUM_EPOCHS, finish_stage, submit_trials
from tiny_sweeps import tiny_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.running.deletion import delete, doomed
from orchestrate.running.drivers import changing
from orchestrate.running.sealing import seal_finished
from results.store.layout import live_name
from results.store.store import Store

State = tuple[tuple[int, int, float], ...]
"""Attempt, number and loss of each epoch of a stage."""
NOTHING: State = ()


class Journal:
    """Every state that a stage has, or is about to have."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def change(self, keys: list[str], state: State) -> Iterator[None]:
        """The block changes these stages to that state."""
        self._add("begin", keys, state)
        yield
        self._add("end", keys, state)

    def _add(self, what: str, keys: list[str], state: State) -> None:
        with self.path.open("a") as file:
            file.write("".join(f"{json.dumps([what, key, state])}\n" for key in keys))

    def read(self) -> dict[str, tuple[list[State], int]]:
        """For each stage its states so far, and the place of the last one that is complete."""
        found: dict[str, tuple[list[State], int]] = {}
        for line in self.path.read_text().splitlines():
            what, key, rows = json.loads(line)
            states, last = found.get(key, ([NOTHING], 0))
            if what == "begin":
                states = [*states, tuple(map(tuple, rows))]
            found[key] = states, len(states) - 1 if what == "end" else last
        return found


def trials_of_sweep() -> list[TrialSpec]:
    return tiny_trials(matrix={"seed": [0, 1, 2]})


def write(store: Store, journal: Journal) -> None:
    trials = trials_of_sweep()
    stages = [stage for trial in trials for stage in trial.stages]
    with_epochs = [stage.key for stage in stages if stage.kind != "derive"]
    while True:
        submit_trials(store, "mine", trials)
        for stage in stages:
            number = store.manifest().deleted.attempt(stage.key) + 1
            if stage.kind == "derive":
                finish_stage(store, stage, number)
                continue
            with journal.change([stage.key], _state(number, 1)):  # As if it was killed then.
                columns = ("attempt", "epoch", "train_loss")
                own = {"stage_key": stage.key, "kind": stage.kind}
                rows = [own | dict(zip(columns, row, strict=True)) for row in _state(number, 1)]
                store.write_rows("epochs", live_name(stage.key, number), rows)
            with journal.change([stage.key], _state(number + 1, NUM_EPOCHS)):
                finish_stage(store, stage, number + 1, loss=number + 1)
        with journal.change(with_epochs, NOTHING), changing(store, "sweep delete mine"):
            delete(doomed(store, "mine"))


def _state(number: int, num_epochs: int) -> State:
    return tuple((number, epoch, float(number + epoch)) for epoch in range(num_epochs))


def main() -> None:
    verb, store, journal = sys.argv[1], Store.open(sys.argv[2]), Journal(Path(sys.argv[3]))
    if verb == "write":
        write(store, journal)
    while os.getppid() != 1:
        seal_finished(store)


if __name__ == "__main__":
    main()
