"""The loop of a search: a step for every batch, a report after every epoch."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch

from fairdarts.config import SearchConfig
from fairdarts.data.augment import Augmentation
from fairdarts.data.delivery import Stream, open_stream
from fairdarts.data.images import Images, halves
from fairdarts.errors import ConfigError
from fairdarts.image_size import size_fault
from fairdarts.kernels.engine import kernels_fault
from fairdarts.search.objectives import ARCH_METRICS, WEIGHT_METRICS
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step
from fairdarts.search.stopping import RULES
from fairdarts.seeding import generator
from fairdarts.spaces import CellSpace, get_space
from fairdarts.supernet.base import flat
from fairdarts.supernet.perturbation import PERTURBATION_CLASSES
from fairdarts.training.capture import CapturedStep, Step
from fairdarts.training.metrics import EpochMeter
from fairdarts.training.precision import float32_products
from fairdarts.training.schedule import current_lr


@dataclass(frozen=True)
class SearchEpoch:
    """What one epoch of a search measured."""

    epoch: int
    metrics: dict[str, float]
    """Means over the epoch: `WEIGHT_METRICS`, and `ARCH_METRICS` on the half that trains alphas."""
    alphas: list[float]
    """After the epoch, of both cells (normal first, edge by edge) or of all layers, in one row."""
    gates: list[float]
    """The factors of the operations, in the same order."""
    lr: float
    num_images: int
    wall_s: float
    stopping_value: float | None
    """What the stopping rule measured after the epoch."""
    chosen_epoch: int | None
    """The epoch whose alphas to derive from, if the stopping rule ended the search here."""


def search(
    config: SearchConfig,
    images: Images,
    *,
    device: torch.device,
    on_epoch: Callable[[SearchEpoch, SearchState], None],
    on_step: Callable[[], None] = lambda: None,
    checkpoint: bytes | None = None,
    loader_workers: int = 0,
) -> SearchState:
    """Run the search, or the rest of it.

    Args:
        config: Settings of the search.
        images: The training set; one half trains the weights, the other the alphas (see `halves`).
            In a single-level search all of it trains both.
        device: Where to compute; images in memory are moved there once.
        on_epoch: Called after every epoch with what it measured and the state to save.
        on_step: Called before every step; what it raises ends the search there.
        checkpoint: `SearchState.to_bytes()` of an unfinished search of the same configuration; the
            result equals that of an uninterrupted run, bit for bit on a CPU.
        loader_workers: Processes that decode stored images, for each half.
    Raises:
        CheckpointError: If the checkpoint belongs to another configuration.
        ConfigError: If the images have a size that the supernet does not take, or `kernels` is true
            and the device cannot run them.
    """
    side = images.image_size
    if isinstance(get_space(config.space), CellSpace) and (
        fault := size_fault(side, side, "cifar", auxiliary=False)
    ):
        raise ConfigError(f"search: {fault}.")
    if config.kernels and (fault := kernels_fault(device)):
        raise ConfigError(f"search.kernels = true cannot be used here: {fault}.")
    state = SearchState(config, images.num_classes, device)
    if checkpoint is not None:
        state.restore(checkpoint)
    parts = halves(images) if config.optimization == "bilevel" else (images, images)
    with ExitStack() as streams, float32_products(config.precision):
        train, val = (
            streams.enter_context(
                open_stream(
                    part,
                    batch_size=config.batch_size,
                    seed=config.seed,
                    name=name,
                    augmentation=Augmentation(mirror=images.mirror),
                    channels_last=config.channels_last,
                    device=device,
                    workers=loader_workers,
                )
            )
            for part, name in zip(parts, ("weights", "alphas"), strict=True)
        )
        state.supernet.train()
        while state.epoch < config.epochs and _chosen_epoch(state, config) is None:
            on_epoch(_search_epoch(state, train, val, config, on_step), state)
    return state


def _chosen_epoch(state: SearchState, config: SearchConfig) -> int | None:
    if config.stopping is None:
        return None
    values = state.stopping_values.values[: state.epoch].tolist()
    return RULES[config.stopping].chosen_epoch(values)


def _search_epoch(
    state: SearchState,
    train: Stream,
    val: Stream,
    config: SearchConfig,
    on_step: Callable[[], None],
) -> SearchEpoch:
    started = time.monotonic()
    epoch = state.epoch
    state.weight_schedule.step(epoch)
    weight_meter = EpochMeter(WEIGHT_METRICS, state.device)
    arch_meter = EpochMeter(ARCH_METRICS, state.device)
    take_step: Step = partial(search_step, state, config=config)
    if config.is_captured(state.device.type):
        take_step = CapturedStep(take_step)  # once an epoch: it keeps the learning rate
    for step in range(epoch * len(train), (epoch + 1) * len(train)):
        on_step()
        # The halves may differ in size: the alphas' stream cycles at its own pace.
        train_batch = train.batch(step)
        val_batch = train_batch if config.optimization == "single_level" else val.batch(step)
        if config.perturbation is not None:
            perturbation = PERTURBATION_CLASSES[config.perturbation](
                config.perturbation_strength,
                epoch / config.epochs,
                generator(state.device, config.seed, "perturbation", step),
            )
            take_step = partial(search_step, state, config=config, perturbation=perturbation)
        weight_metrics, arch_metrics = take_step(train_batch, val_batch)
        weight_meter.add(len(train_batch[1]), *weight_metrics)
        arch_meter.add(len(val_batch[1]), *arch_metrics)
    stopping_value = None
    if config.stopping is not None:
        batch = val.batch(epoch * len(val))  # the first batch of a pass, which is a full one
        stopping_value = RULES[config.stopping].measure(state, batch)
        state.stopping_values.values[epoch] = stopping_value
    state.epoch = epoch + 1
    with torch.no_grad():
        gates = flat(state.supernet.gates()).tolist()
        alphas = flat(dict(state.supernet.alphas.items())).tolist()
    return SearchEpoch(
        epoch=epoch,
        metrics=weight_meter.means() | arch_meter.means(),
        alphas=alphas,
        gates=gates,
        lr=current_lr(state.weight_optimizer),
        num_images=weight_meter.num_images,
        wall_s=time.monotonic() - started,
        stopping_value=stopping_value,
        chosen_epoch=_chosen_epoch(state, config),
    )
