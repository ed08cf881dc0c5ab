"""How busy a stage keeps a GPU: some seconds of its training steps, on the GPU at hand."""

import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from fairdarts.config import RetrainConfig, SearchConfig
from fairdarts.genotype.any_genotype import AnyGenotype
from fairdarts.network.retrain import RetrainState, train_step
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step
from fairdarts.training.capture import CapturedStep
from fairdarts.training.precision import float32_products
from orchestrate.planning.plan import TrialSpec
from orchestrate.running.forecast import in_own_process, sizes_of
from orchestrate.stages import nvml

WARM_UP_S = 3.0
"""Libraries choose their kernels, Triton compiles, the step is recorded as a graph. The driver's
figure is of the last second, too."""
MEASURED_S = 3.0
SAMPLE_S = 0.25


def busy_pct(trial: TrialSpec, kind: str) -> float | None:
    """Share of the time in which the GPU computes for one stage of a trial.

    Whatever else computes on the GPU at that time counts, too.

    Args:
        trial: One with a stage of that kind.
        kind: `search` or `retrain`.
    Returns:
        None if the driver does not tell.
    Raises:
        DataError: If the trial's data set cannot be used.
    """
    return in_own_process(_measured, kind, *sizes_of(trial, kind))


def _measured(
    kind: str,
    config: SearchConfig | RetrainConfig,
    genotype: AnyGenotype,
    num_classes: int,
    image_size: int,
) -> float | None:
    device = torch.device("cuda")
    with float32_products(config.precision):
        step = training_step(config, genotype, num_classes, image_size, device)
        _keep_going(step, WARM_UP_S)
        samples = _keep_going(step, MEASURED_S)
    return statistics.mean(samples) if samples else None


def training_step(
    config: SearchConfig | RetrainConfig,
    genotype: AnyGenotype,
    num_classes: int,
    image_size: int,
    device: torch.device,
) -> Callable[[], object]:
    """A step as a stage takes it, again and again on the same noise.

    Args:
        config: Of a search or of a retraining.
        genotype: What is retrained.
        num_classes: Outputs of the classifier.
        image_size: Height and width in pixels.
        device: Where to compute.
    """
    images = torch.randn(config.batch_size, 3, image_size, image_size, device=device)
    labels = torch.randint(num_classes, (config.batch_size,), device=device)
    if config.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    batches = [(images, labels)]
    take_step: Callable[..., object]
    if isinstance(config, SearchConfig):
        state = SearchState(config, num_classes, device)
        state.supernet.train()
        take_step, batches = partial(search_step, state, config=config), 2 * batches
    else:
        retraining = RetrainState(genotype, config, num_classes, device)
        retraining.network.train()
        take_step = partial(train_step, retraining, config=config)
    if config.is_captured(device.type):
        take_step = CapturedStep(take_step)
    return partial(take_step, *batches)


def _keep_going(step: Callable[[], object], seconds: float) -> list[float]:
    """Take steps, and ask the driver every now and then how busy the GPU is."""
    samples: list[float] = []
    end = time.monotonic() + seconds
    next_sample = time.monotonic() + SAMPLE_S
    before: torch.cuda.Event | None = None
    while time.monotonic() < end:
        step()
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
        if before is not None:
            before.synchronize()  # One step ahead is enough; a graph could get a thousand ahead.
        before = done
        if time.monotonic() >= next_sample:
            next_sample = time.monotonic() + SAMPLE_S
            if (sample := nvml.busy_pct()) is not None:
                samples.append(sample)
    return samples
