"""A search step in S1: the plain one against ours, eager and as a CUDA graph."""

import statistics
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.gpu.measure import Work, forget, peak_gib, times_ms, trace
from benchmarks.gpu.readings import Reading, Report, Setup
from benchmarks.plain import plain_step
from benchmarks.search_speed import batches, config_of, fast_state, on_batches, plain_state
from fairdarts.config import SearchConfig
from fairdarts.data.stream import Batch
from fairdarts.search.step import search_step
from fairdarts.training.capture import Step
from fairdarts.training.precision import autocast, float32_products
from fairdarts.vocabulary import Precision

LABELS: dict[Precision, str] = {"float32": "float32", "tf32": "TF32", "bfloat16": "bfloat16"}
Build = Callable[[SearchConfig, torch.device], Step]


def measure_float32(setup: Setup, report: Report) -> None:
    """The exact step at the paper's batch size."""
    compare(setup, report, "float32", setup.sizes.batch_size)


def measure_precisions(setup: Setup, report: Report) -> None:
    """The same in the precisions that round."""
    for precision in ("tf32", "bfloat16"):
        compare(setup, report, precision, setup.sizes.batch_size)


def measure_small_batch(setup: Setup, report: Report) -> None:
    """All precisions at half the batch size."""
    for precision in LABELS:
        compare(setup, report, precision, setup.sizes.small_batch_size)


def compare(setup: Setup, report: Report, precision: Precision, batch_size: int) -> None:
    """Report plain and ours in one precision; times are compared with the plain step's."""
    baseline_ms: float | None = None
    # A CPU has no graphs: there both are launched as they come.
    for as_graph in (False, True) if setup.device == "cuda" else (False,):
        for name, build in BUILDS.items():
            config = config_of(
                batch_size,
                precision=precision,
                cuda_graph=as_graph,
                channels_last=name == "ours",
                **setup.sizes.search,
            )
            how = "CUDA graph" if as_graph else "eager"
            what = f"{name}, {how}, {LABELS[precision]}, batch {batch_size}"
            reading = step_reading(what, build, config, setup, setup.sizes.image_size, baseline_ms)
            report(reading)
            if baseline_ms is None:
                baseline_ms = reading.value


def step_reading(
    what: str,
    build: Build,
    config: SearchConfig,
    setup: Setup,
    image_size: int,
    baseline_ms: float | None,
) -> Reading:
    """Milliseconds of a step and the rest, or why there are none: the next variant may do."""
    device = torch.device(setup.device)
    forget(device)
    try:
        with float32_products(config.precision):
            work = ready(build(config, device), config, device, image_size)
            times = times_ms(work, setup.sizes, device)
            ms = statistics.median(times)
            peak = peak_gib(device)
            seen = trace(work, ms, device)
    except RuntimeError as error:  # above all torch.OutOfMemoryError
        return Reading(what, note=str(error).partition("\n")[0][:150])
    note = f"{min(times):.1f}-{max(times):.1f}, {1e3 * config.batch_size / ms:,.0f} images/s"
    if baseline_ms is not None:
        note += f", {baseline_ms / ms:.2f}x as fast"
    return Reading(
        what,
        ms,
        "ms",
        note,
        kernels=seen.kernels,
        busy_pct=seen.busy_pct,
        peak_gib=peak,
    )


def ready(step: Step, config: SearchConfig, device: torch.device, image_size: int) -> Work:
    """The step on a batch of noise, recorded as a graph where the configuration says so."""
    return on_batches(step, config, *batches(config, device, image_size))


def ours(config: SearchConfig, device: torch.device) -> Step:
    """The product's step."""
    return partial(search_step, fast_state(config, device), config=config)


def plain(config: SearchConfig, device: torch.device) -> Step:
    """The plain step; as in the authors' code its loss is read every time, unless in a graph."""
    state = plain_state(config, device)

    def step(train: Batch, val: Batch) -> tuple[list[Tensor], list[Tensor]]:
        with autocast(device, config.precision):
            loss, _, total, validation = plain_step(state, train, val, config)
        if not config.cuda_graph:
            loss.item()
        return [loss], [total, validation]

    return step


BUILDS: dict[str, Build] = {"plain": plain, "ours": ours}
