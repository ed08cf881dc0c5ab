"""Every write of a trial fails in its turn, and none of them loses or blocks anything.

What fails is the operating system: opening for writing, fsync, making folders, links and renames
under the store raise, counted, so that every one of them gets its turn.
"""

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from one_trial import run_trial
from tiny_sweeps import tiny_trials

from orchestrate.planning.plan import TrialSpec
from orchestrate.stages.runtime import Runtime
from orchestrate.stages.state import stage_state
from orchestrate.statuses import Outcome, Status
from results.store.store import Store

RUNTIME = Runtime("cpu", 1)
TAKES_ROOM = ("open", "mkdir", "link", "fsync")
"""Calls that fail on a full disk; a rename does not need room."""


class Disk:
    """Counts the writes under a folder, and fails some of them."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self.descriptors: set[int] = set()
        self.num_writes = 0
        self.fails: Callable[[int, str], int] = lambda number, call: 0
        """Number and name of a write to its error, 0: none."""

    def write(self, call: str, path: object) -> None:
        if isinstance(path, int) or str(path).startswith(self.root):
            self.num_writes += 1
            if error := self.fails(self.num_writes, call):
                raise OSError(error, os.strerror(error), None if isinstance(path, int) else path)


@contextmanager
def watched(root: Path) -> Iterator[Disk]:
    disk = Disk(root)
    real_open, real_fsync = io.open, os.fsync
    with pytest.MonkeyPatch.context() as patch:

        def watched_open(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            if set(mode) & set("wax+"):
                disk.write("open", file)
            return real_open(file, mode, *rest, **options)

        def watched_fsync(descriptor: int) -> None:
            disk.write("fsync", descriptor)
            real_fsync(descriptor)

        patch.setattr(io, "open", watched_open)
        patch.setattr(os, "fsync", watched_fsync)
        for call in ("mkdir", "link", "rename", "replace"):
            patch.setattr(os, call, _watched(disk, call, getattr(os, call)))
        yield disk


def _watched(disk: Disk, call: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def run(path: Any, *rest: Any, **options: Any) -> Any:
        disk.write(call, path)
        return real(path, *rest, **options)

    return run


def fails_once(number: int) -> Callable[[int, str], int]:
    return lambda count, call: errno.EIO if count == number else 0


def full_from(number: int) -> Callable[[int, str], int]:
    return lambda count, call: errno.ENOSPC if count >= number and call in TAKES_ROOM else 0


@pytest.fixture(scope="module")
def trial() -> TrialSpec:
    (trial,) = tiny_trials("retrain.epochs=1", matrix={}, random=[{"models": 1}])
    return trial


def results_of(store: Store, trial: TrialSpec) -> list[Any]:
    (row,) = store.read("retrains", [trial.trial_id]).to_pylist()
    epochs = store.read("epochs", [trial.trial_id]).to_pylist()
    return [row["test_top1_pct"], row["params"], [epoch["train_loss"] for epoch in epochs]]


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        (full_from, 4),  # Every fourth write.
        pytest.param(full_from, 1, marks=pytest.mark.slow),
        pytest.param(fails_once, 1, marks=pytest.mark.slow),
    ],
)
def test_whichever_write_fails_the_stage_is_free_and_the_next_run_finishes_it(
    tmp_path: Path, trial: TrialSpec, fault: Callable[[int], Callable[[int, str], int]], step: int
) -> None:
    whole = Store.create(tmp_path / "whole")
    with watched(whole.root) as disk:
        assert run_trial(trial, whole, RUNTIME) == Outcome.OK
        num_writes = disk.num_writes
    assert num_writes > 40
    for number in range(1, num_writes + 1, step):
        store = Store.create(tmp_path / f"{number}")
        with watched(store.root) as disk:
            disk.fails = fault(number)
            try:
                outcome = run_trial(trial, store, RUNTIME)
            except OSError:  # Before there was an attempt to mark.
                outcome = Outcome.FAILED
        states = [stage_state(store.stage_dir(stage.kind, stage.key)) for stage in trial.stages]
        assert Status.RUNNING not in [state.status for state in states], number
        assert outcome in (Outcome.OK, Outcome.FAILED), number
        assert run_trial(trial, store, RUNTIME) == Outcome.OK, number
        assert results_of(store, trial) == results_of(whole, trial), number
        left = [path for path in store.root.rglob(".*") if not path.name.startswith(".clock")]
        assert left == [], number


def test_an_interrupt_while_a_failure_is_being_recorded_frees_the_stage(
    tmp_path: Path, trial: TrialSpec
) -> None:
    store = Store.create(tmp_path / "store")
    failing = 30  # one of the writes of the first stage

    def fault(count: int, call: str) -> int:
        if count == failing + 1:
            raise KeyboardInterrupt
        return errno.EIO if count == failing else 0

    with watched(store.root) as disk, pytest.raises(KeyboardInterrupt):
        disk.fails = fault
        run_trial(trial, store, RUNTIME)

    states = [stage_state(store.stage_dir(stage.kind, stage.key)) for stage in trial.stages]
    assert [state.status for state in states] == [Status.LOST, Status.PENDING]
