"""Retraining FairDARTS_b in every way there is, beside a network of timm with as many MultAdds.

Every row trains on one batch that lies on the device. The first one is the product's default.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from benchmarks.gpu.measure import forget, peak_gib, times_ms, trace
from benchmarks.gpu.readings import Reading, Report, Setup, Skipped
from benchmarks.gpu.steps import LABELS
from benchmarks.retraining import Row, derived_row, timm_row
from fairdarts.config import RetrainConfig
from fairdarts.genotype.published import published
from fairdarts.training.precision import float32_products

Build = Callable[[RetrainConfig, torch.device], Row]


@dataclass(frozen=True)
class Way:
    """One way to train the derived network."""

    settings: dict[str, Any] = field(default_factory=dict)
    """Of the retraining, where they differ from the default."""
    tries_algorithms: bool = False
    """Whether cuDNN measures its algorithms and takes the fastest. This is not a setting of the
    product: another process may take others, which round differently."""


EAGER = {"cuda_graph": False}
BFLOAT16 = {"precision": "bfloat16"}
WAYS = (
    Way(),
    Way(EAGER),
    Way(BFLOAT16),
    Way(EAGER | BFLOAT16),
    Way({"precision": "tf32"}),
    Way(tries_algorithms=True),
    Way(BFLOAT16, tries_algorithms=True),
    Way({"channels_last": False}),
)
COMPILED = (Way(BFLOAT16 | {"compile": True}), Way({"compile": True}))


def measure(setup: Setup, report: Report) -> None:
    """Report images a second of every way, and of timm's network as timm trains it."""
    first, multadds = _measure_ways(WAYS, setup, report)
    timm = partial(_timm, setup.sizes.timm_model, multadds)
    for settings in ({}, BFLOAT16):
        config = _config(setup, settings)
        name = f"timm, eager, {LABELS[config.precision]}"
        report(_reading(name, timm, config, setup, first)[0])


def measure_compiled(setup: Setup, report: Report) -> None:
    """Report the same of networks that torch compiles, which takes minutes."""
    if setup.device != "cuda":
        raise Skipped("compiled networks are for GPUs")
    _measure_ways(COMPILED, setup, report)


def _measure_ways(ways: Sequence[Way], setup: Setup, report: Report) -> tuple[float | None, int]:
    """Images a second of the first way that is measured, and MultAdds of the network."""
    first: float | None = None
    multadds = 0
    for way in ways:
        config = _config(setup, way.settings)
        if setup.device != "cuda" and config.is_captured("cuda"):
            continue
        how = "compiled" if config.compile else "eager"
        how = "CUDA graph" if config.is_captured(setup.device) else how
        how += "" if config.channels_last else ", NCHW"
        how += ", fastest of cuDNN's algorithms" if way.tries_algorithms else ""
        # Set for good: the process of a part measures nothing else.
        torch.backends.cudnn.benchmark = way.tries_algorithms
        name = f"ours, {how}, {LABELS[config.precision]}"
        reading, row = _reading(name, _ours, config, setup, first)
        report(reading)
        first = first or reading.value
        multadds = row.multadds if row else multadds
    return first, multadds


def _ours(config: RetrainConfig, device: torch.device) -> Row:
    return derived_row(published("FairDARTS_b").genotype, config, device)


def _timm(model: str, multadds: int, config: RetrainConfig, device: torch.device) -> Row:
    return timm_row(model, multadds, config, device)


def _config(setup: Setup, settings: dict[str, Any]) -> RetrainConfig:
    # MultAdds do not count the auxiliary head, so neither network has one.
    return RetrainConfig.build({"auxiliary_weight": 0.0} | setup.sizes.retrain | settings)


def _reading(
    name: str, build: Build, config: RetrainConfig, setup: Setup, first: float | None
) -> tuple[Reading, Row | None]:
    """Images a second, compared with the first row; or why there are none: the next may do."""
    device = torch.device(setup.device)
    forget(device)
    name += f", batch {config.batch_size}"
    try:
        with float32_products(config.precision):
            row = build(config, device)
            ms = statistics.median(times_ms(row.step, setup.sizes, device))
            peak = peak_gib(device)
            seen = trace(row.step, ms, device)
    except RuntimeError as error:  # above all torch.OutOfMemoryError
        return Reading(name, note=str(error).partition("\n")[0][:150]), None
    rate = 1e3 * config.batch_size / ms
    note = f"{row.name}, {row.multadds / 1e6:.0f} M MultAdds, {ms:.1f} ms a step"
    if first:
        note += f", {rate / first:.2f}x as fast"
    reading = Reading(
        name,
        rate,
        "images/s",
        note,
        kernels=seen.kernels,
        busy_pct=seen.busy_pct,
        peak_gib=peak,
    )
    return reading, row
