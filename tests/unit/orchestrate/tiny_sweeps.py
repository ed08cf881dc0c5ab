"""Sweeps of a few seconds, images on disk and a way to wait, for the tests of this folder."""

import io
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from orchestrate.plan import TrialSpec, plan
from orchestrate.sweep import Sweep, parse_sweep

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


def png(shade: int, size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), shade, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_images(folder: Path, images: list[bytes] | None = None) -> None:
    """Two classes, 12 training and 4 test images; `images` replaces the training images."""
    train = images or [png(20 * index) for index in range(12)]
    for split, encoded in (("train", train), ("test", [png(50 * index) for index in range(4)])):
        cells = pa.array([{"bytes": data} for data in encoded], pa.struct([("bytes", pa.binary())]))
        labels = pa.array([index % 2 for index in range(len(encoded))], pa.int64())
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"img": cells, "label": labels}), folder / f"{split}.parquet")


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as `condition` holds; fail if it does not within the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_S:g} s in vain for {what}"
        pause.wait(0.02)
