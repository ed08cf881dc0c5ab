"""What a part is told, and what it tells; no torch, so that the command starts at once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Reading:
    """One line of the table."""

    what: str
    value: float | None = None
    """None: it could not be measured, and `note` says why."""
    unit: str = ""
    note: str = ""
    """The range of the rounds, how it compares, or what went wrong."""
    kernels: int | None = None
    """That the device ran in one step, copies included."""
    busy_pct: float | None = None
    """Share of the time in which the device computed."""
    peak_gib: float | None = None
    """Most memory that tensors held at once, all that was there before included."""


Report = Callable[[Reading], None]


@dataclass(frozen=True)
class Sizes:
    """How much the parts compute."""

    search: dict[str, Any]
    """What a search in S1 changes in the paper's settings."""
    layer_search: dict[str, Any]
    """Likewise in S2."""
    retrain: dict[str, Any]
    """What a retraining changes in the recipe of CIFAR-10."""
    batch_size: int
    small_batch_size: int
    layer_batch_size: int
    image_size: int
    layer_image_size: int
    copy_bytes: int
    product_size: int
    """Rows and columns of the matrices that are multiplied."""
    stages: tuple[tuple[int, int], ...]
    """Channels, and height and width, of the features of a stage of cells."""
    rotated_bytes: int
    """What a piece reads in turn, so that no cache holds it: more than any has."""
    num_images: int | None
    """Of CIFAR-10, for the epoch; None: all."""
    warm_ups: int
    """Steps before those that are timed."""
    repeats: int
    """Timed steps of each variant."""
    shared_steps: int
    """Timed steps of each search that shares the device: a handful would not overlap."""
    searches: tuple[int, ...]
    """How many share it."""
    timm_model: str
    """The network that a derived one is compared with."""


FULL = Sizes(
    search={},
    layer_search={},
    retrain={},
    batch_size=128,
    small_batch_size=64,
    layer_batch_size=64,
    image_size=32,
    layer_image_size=224,
    copy_bytes=1 << 30,
    product_size=8192,
    stages=((16, 32), (32, 16), (64, 8)),
    rotated_bytes=256 << 20,
    num_images=None,
    warm_ups=3,
    repeats=5,
    shared_steps=20,
    searches=(1, 2, 4),
    timm_model="mobilenetv2_140",
)
TINY = Sizes(
    search={"init_channels": 4, "num_cells": 3},
    layer_search={"width": 0.25, "num_layers": 6},
    retrain={"init_channels": 4, "num_cells": 3, "batch_size": 4},
    batch_size=4,
    small_batch_size=2,
    layer_batch_size=2,
    image_size=8,
    layer_image_size=32,
    copy_bytes=1 << 16,
    product_size=16,
    stages=((16, 4),),
    rotated_bytes=1,
    num_images=12,
    warm_ups=0,
    repeats=1,
    shared_steps=1,
    searches=(1, 2),
    timm_model="mobilenetv2_050",
)
"""For trying the command itself: nothing of it is worth reading."""


@dataclass(frozen=True)
class Setup:
    """Where and how much to measure."""

    device: str
    sizes: Sizes
    data: Path | None
    """Folder of CIFAR-10 as Parquet."""


class Skipped(Exception):
    """A part that cannot be measured here, for the reason that the message gives."""
