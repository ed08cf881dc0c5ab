"""The search of Fair DARTS and DARTS (Eq. 4, 8 and 10)."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.config import SearchConfig
from fairdarts.data.augment import Augmentation
from fairdarts.data.delivery import Stream, open_stream
from fairdarts.data.images import Images, halves
from fairdarts.data.stream import Batch as Batch
from fairdarts.search.loss import architecture_loss
from fairdarts.search.second_order import unrolled_gradient
from fairdarts.search.stopping import STOPPING_RULES
from fairdarts.seeding import generator, seed_everything
from fairdarts.spaces import CellSpace, get_space
from fairdarts.supernet.base import Supernet, flat
from fairdarts.supernet.cell_supernet import CellSupernet
from fairdarts.supernet.layer_supernet import LayerSupernet
from fairdarts.supernet.perturbation import PERTURBATIONS, Perturbation
from fairdarts.training.capture import CapturedStep, Step
from fairdarts.training.checkpoint import restore_state, state_to_bytes
from fairdarts.training.gradients import accumulate, frozen
from fairdarts.training.metrics import EpochMeter, top1_pct
from fairdarts.training.precision import float32_products
from fairdarts.training.recompute import StatisticsKept
from fairdarts.training.schedule import cosine, current_lr

WEIGHT_METRICS = ("train_loss", "train_top1_pct")
ARCH_METRICS = ("arch_loss", "arch_top1_pct", "zero_one_loss")


@dataclass(frozen=True)
class SearchEpoch:
    """What one epoch of a search measured."""

    epoch: int
    metrics: dict[str, float]
    """Means over the epoch: `WEIGHT_METRICS`, and `ARCH_METRICS` of the half that trains alphas."""
    alphas: list[float]
    """Of all groups after the epoch: both cells, normal first, row by row, or layer by layer."""
    gates: list[float]
    """What the operations are multiplied by, in the same order."""
    lr: float
    num_images: int
    wall_s: float
    stopping_value: float | None
    """What the stopping rule measured after the epoch."""
    chosen_epoch: int | None
    """Whose alphas to derive from, if the rule ended the search with this epoch."""


class SearchState:
    """Supernet, its two optimisers and the number of finished epochs."""

    def __init__(self, config: SearchConfig, num_classes: int, device: torch.device) -> None:
        seed_everything(config.seed, "supernet")
        memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
        supernet = build_supernet(config, num_classes)
        self.supernet = supernet.to(device).to(memory_format=memory_format)
        self.weight_optimizer = torch.optim.SGD(
            self.supernet.weight_parameters(),
            lr=config.weight_lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
        self.weight_schedule = cosine(self.weight_optimizer, config.epochs, config.weight_lr_min)
        self.alpha_optimizer = torch.optim.Adam(
            self.supernet.architecture_parameters(),
            lr=config.alpha_lr,
            betas=(config.alpha_beta1, 0.999),
            weight_decay=config.alpha_weight_decay,
            capturable=config.cuda_graph and device.type == "cuda",
        )
        self.device = device
        self.epoch = 0
        self.stopping_values = _Values(config.epochs if config.stopping else 0)

    def to_bytes(self) -> bytes:
        """The state after the last finished epoch."""
        return state_to_bytes(self.epoch, *self._parts())

    def restore(self, content: bytes) -> None:
        """Continue from `to_bytes()` of a state of the same configuration.

        Raises:
            CheckpointError: If it is not one.
        """
        self.epoch = restore_state(content, *self._parts())

    def _parts(self) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        optimizers = {"weight_sgd": self.weight_optimizer, "alpha_adam": self.alpha_optimizer}
        return {"supernet": self.supernet, "stopping": self.stopping_values}, optimizers


def build_supernet(config: SearchConfig, num_classes: int) -> Supernet:
    """The supernet of the configuration's space, its weights drawn from torch's generator."""
    space = get_space(config.space)
    if isinstance(space, CellSpace):
        return CellSupernet(config, space, num_classes)
    return LayerSupernet(config, space, num_classes)


class _Values(nn.Module):
    """What a stopping rule measured after each epoch so far, as part of the saved state."""

    values: Tensor

    def __init__(self, num_epochs: int) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(num_epochs, dtype=torch.float64))


def search_step(
    state: SearchState,
    train: Batch,
    val: Batch,
    config: SearchConfig,
    perturbation: Perturbation | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """One bi-level step: alphas on the held-out half, then weights on the training half.

    A single-level search has no halves: it steps both on `train`.

    Returns:
        Scalars on the device, in the order of `WEIGHT_METRICS` and of `ARCH_METRICS`.
    """
    if config.optimization == "single_level":
        return step_both(state, train, config, perturbation)
    if config.order == 2:
        arch_metrics = step_alphas_ahead(state, train, val, config, perturbation)
    else:
        arch_metrics = step_alphas(state, val, config, perturbation)  # upper level
    weight_metrics = step_weights(state, train, config, perturbation)  # lower level
    return weight_metrics, arch_metrics


def step_alphas(
    state: SearchState,
    batch: Batch,
    config: SearchConfig,
    perturbation: Perturbation | None = None,
) -> list[Tensor]:
    """Upper level: one Adam step on alpha for L_val + w L_{0-1} (Eq. 8); weights stay.

    Returns:
        `ARCH_METRICS`, scalars on the device.
    """
    state.alpha_optimizer.zero_grad()
    with frozen(state.supernet.weight_parameters()):
        metrics = accumulate(
            partial(_architecture_loss, state, config, perturbation), batch, config.micro_batches
        )
    state.alpha_optimizer.step()
    return metrics


def step_weights(
    state: SearchState,
    batch: Batch,
    config: SearchConfig,
    perturbation: Perturbation | None = None,
) -> list[Tensor]:
    """Lower level: one SGD step on the supernet weights for L_train (Eq. 4); alphas stay.

    Returns:
        `WEIGHT_METRICS`, scalars on the device.
    """
    supernet = state.supernet

    def training_loss(part: Batch) -> tuple[Tensor, list[Tensor]]:
        images, labels = part
        logits = supernet(images, supernet.gates(perturbation), perturbation)
        loss = F.cross_entropy(logits, labels)
        return loss, [loss.detach(), top1_pct(logits, labels)]

    state.weight_optimizer.zero_grad()
    with frozen(supernet.architecture_parameters()):
        metrics = accumulate(training_loss, batch, config.micro_batches)
    nn.utils.clip_grad_norm_(supernet.weight_parameters(), config.grad_clip)
    state.weight_optimizer.step()
    return metrics


def step_both(
    state: SearchState,
    batch: Batch,
    config: SearchConfig,
    perturbation: Perturbation | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """Single level: one step of alphas and weights on the same images (Eq. 10).

    Returns:
        `WEIGHT_METRICS` and `ARCH_METRICS`, scalars on the device.
    """
    state.alpha_optimizer.zero_grad()
    state.weight_optimizer.zero_grad()
    metrics = accumulate(
        partial(_architecture_loss, state, config, perturbation), batch, config.micro_batches
    )
    nn.utils.clip_grad_norm_(state.supernet.weight_parameters(), config.grad_clip)
    state.alpha_optimizer.step()
    state.weight_optimizer.step()
    return metrics[:2], metrics


def step_alphas_ahead(
    state: SearchState,
    train: Batch,
    val: Batch,
    config: SearchConfig,
    perturbation: Perturbation | None = None,
) -> list[Tensor]:
    """Upper level of second order, see `unrolled_gradient`; leaves running statistics alone.

    Returns:
        `ARCH_METRICS` at the weights one step ahead, scalars on the device.
    """
    supernet = state.supernet
    weights, alphas = supernet.weight_parameters(), supernet.architecture_parameters()
    (group,) = state.weight_optimizer.param_groups
    metrics: list[Tensor] = []

    def train_loss() -> Tensor:
        images, labels = train
        logits = supernet(images, supernet.gates(perturbation), perturbation)
        return F.cross_entropy(logits, labels)

    def val_loss() -> Tensor:
        total, metrics[:] = _architecture_loss(state, config, perturbation, val)
        return total

    def step_of(slopes: Sequence[Tensor]) -> list[Tensor]:
        steps = []
        for weight, slope in zip(weights, slopes, strict=True):
            velocity = state.weight_optimizer.state[weight].get("momentum_buffer")
            step = slope + group["weight_decay"] * weight.detach()
            steps.append(step if velocity is None else step + group["momentum"] * velocity)
        return steps

    with StatisticsKept(supernet):
        gradients = unrolled_gradient(train_loss, val_loss, weights, alphas, step_of, group["lr"])
    for alpha, gradient in zip(alphas, gradients, strict=True):
        alpha.grad = gradient
    state.alpha_optimizer.step()
    return metrics


def _architecture_loss(
    state: SearchState, config: SearchConfig, perturbation: Perturbation | None, batch: Batch
) -> tuple[Tensor, list[Tensor]]:
    """The total loss of Eq. 8, and `ARCH_METRICS`."""
    images, labels = batch
    gates = state.supernet.gates(perturbation)
    logits = state.supernet(images, gates, perturbation)
    total, loss, zero_one = architecture_loss(
        logits, labels, flat(gates), config.zero_one_weight, config.zero_one_form
    )
    return total, [loss.detach(), top1_pct(logits, labels), zero_one.detach()]


def search(
    config: SearchConfig,
    images: Images,
    *,
    device: torch.device,
    on_epoch: Callable[[SearchEpoch, SearchState], None],
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
        checkpoint: `SearchState.to_bytes()` of an unfinished search of the same configuration; the
            result equals that of an uninterrupted run, bit for bit on a CPU.
        loader_workers: Processes that decode stored images, for each half.
    Raises:
        CheckpointError: If the checkpoint belongs to another configuration.
    """
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
            on_epoch(_search_epoch(state, train, val, config), state)
    return state


def _chosen_epoch(state: SearchState, config: SearchConfig) -> int | None:
    if config.stopping is None:
        return None
    values = state.stopping_values.values[: state.epoch].tolist()
    return STOPPING_RULES[config.stopping].chosen_epoch(values)


def _search_epoch(
    state: SearchState, train: Stream, val: Stream, config: SearchConfig
) -> SearchEpoch:
    started = time.monotonic()
    epoch = state.epoch
    state.weight_schedule.step(epoch)
    weight_meter = EpochMeter(WEIGHT_METRICS, state.device)
    arch_meter = EpochMeter(ARCH_METRICS, state.device)
    take_step: Step = partial(search_step, state, config=config)
    if config.cuda_graph and state.device.type == "cuda":
        take_step = CapturedStep(take_step)
    for step in range(epoch * len(train), (epoch + 1) * len(train)):
        # The halves may differ in size: the alphas' stream cycles at its own pace.
        train_batch = train.batch(step)
        val_batch = train_batch if config.optimization == "single_level" else val.batch(step)
        if config.perturbation is not None:
            perturbation = PERTURBATIONS[config.perturbation](
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
        batch = val.batch(epoch * len(val))  # the first of a pass: a full one
        stopping_value = STOPPING_RULES[config.stopping].measure(state, batch)
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
