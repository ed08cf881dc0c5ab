"""While processes write, seal and delete, every answer is what was committed at some moment."""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from busy_store import NOTHING, Journal, State, trials_of_sweep
from repository import ROOT, SUPPORT
from tiny_sweeps import wait_until

from results import open_store
from results.store.store import Store

EPOCHS = "SELECT stage_key, attempt, epoch, train_loss FROM epochs ORDER BY ALL"
OUTCOMES = "SELECT count(*) AS n FROM outcomes"


@pytest.mark.parametrize("number", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_every_answer_was_committed_at_some_moment(tmp_path: Path, number: int) -> None:
    root, journal = Store.create(tmp_path / "store").root, Journal(tmp_path / "journal")
    with busy(root, tmp_path / "journal") as processes:
        wait_until(lambda: journal.path.exists(), "the first change")
        for _ in range(number // 2):
            before = journal.read()
            rows = open_store(root).sql(EPOCHS, frame="arrow").to_pylist()
            after = journal.read()
            answer: defaultdict[str, State] = defaultdict(lambda: NOTHING)
            for row in rows:
                answer[row["stage_key"]] += ((row["attempt"], row["epoch"], row["train_loss"]),)
            for key, (states, _) in after.items():
                last_complete = before[key][1] if key in before else 0
                assert answer[key] in states[last_complete:], key
            num_planned = open_store(root).sql(OUTCOMES, frame="arrow")["n"][0].as_py()
            assert num_planned in (0, len(trials_of_sweep()))
        assert [process.poll() for process in processes] == [None, None]
    num_manifests = Store.open(root).manifest().number
    num_deleted = max(states.count(NOTHING) for states, _ in journal.read().values()) - 1
    print(f"{number} queries, {num_manifests} manifests, the sweep deleted {num_deleted} times")


@contextmanager
def busy(root: Path, journal: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Two processes that change the store as long as the block runs."""
    processes = [
        subprocess.Popen(
            [sys.executable, SUPPORT / "busy_store.py", verb, root, journal],
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{SUPPORT}"},
        )
        for verb in ("write", "seal")
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()
