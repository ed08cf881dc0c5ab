"""Sweeps of a few seconds and a way to wait, for the tests of this folder."""

import threading
import time
from collections.abc import Callable
from typing import Any

from orchestrate.planning.plan import TrialSpec, plan
from orchestrate.planning.sweep_file import Sweep, parse_sweep

SETTINGS: dict[str, Any] = {
    "data": {"source": "digits", "num_train": 40, "num_test": 20, "image_size": 8},
    "search": {"init_channels": 2, "num_cells": 3, "epochs": 2, "batch_size": 20},
    "derive": {"op_threshold": 0.3},
    "retrain": {
        "init_channels": 2,
        "num_cells": 3,
        "epochs": 2,
        "batch_size": 20,
        "auxiliary_weight": 0.0,
        "cutout": 2,
    },
}
DEADLINE_S = 60.0


def tiny_sweep(*assignments: str, **sections: Any) -> Sweep:
    """One FairDARTS trial of 2 + 2 epochs, unless other sections of a sweep file are given."""
    table = {"settings": SETTINGS, "matrix": {"method": ["fairdarts"]}} | sections
    return parse_sweep(table, "tiny", list(assignments))


def tiny_trials(*assignments: str, **sections: Any) -> list[TrialSpec]:
    return plan(tiny_sweep(*assignments, **sections))


def key_of(trial: TrialSpec, kind: str) -> str:
    stage = trial.stage(kind)
    assert stage is not None
    return stage.key


def wait_until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return as soon as `condition` holds; fail if it does not within the deadline."""
    deadline = time.monotonic() + deadline_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {deadline_s:g} s in vain for {what}"
        pause.wait(0.02)
