"""Training a derived network from scratch and measuring it (paper Section 5.1)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.config import RetrainConfig
from fairdarts.data.augment import Augmentation
from fairdarts.data.delivery import Stream, open_stream, ordered_batches
from fairdarts.data.images import Images, held_out
from fairdarts.data.stream import Batch
from fairdarts.genotype.any_genotype import AnyGenotype
from fairdarts.network.build import AnyNetwork, build_network
from fairdarts.seeding import seed_everything
from fairdarts.training.capture import CapturedStep
from fairdarts.training.checkpoint import restore_state, state_to_bytes
from fairdarts.training.metrics import EpochMeter, top1_pct
from fairdarts.training.precision import autocast, float32_products
from fairdarts.training.schedule import cosine, current_lr, exponential

TRAIN_METRICS = ("train_loss", "train_top1_pct")
VALIDATION_METRICS = ("val_loss", "val_top1_pct")
TEST_METRICS = ("test_loss", "test_top1_pct")
EVALUATION_BATCH_SIZE = 256
COLOR_JITTER = (0.4, 0.4, 0.4, 0.2)
"""Brightness, contrast, saturation and hue, as DARTS has them for ImageNet."""


@dataclass(frozen=True)
class RetrainEpoch:
    """What one epoch of a retraining measured."""

    epoch: int
    metrics: dict[str, float]
    """`TRAIN_METRICS`, `TEST_METRICS`, and `VALIDATION_METRICS` where images are held out."""
    lr: float
    num_images: int
    wall_s: float


class RetrainState:
    """Derived network, its optimiser and the number of finished epochs."""

    def __init__(
        self, genotype: AnyGenotype, config: RetrainConfig, num_classes: int, device: torch.device
    ) -> None:
        seed_everything(config.seed, "network")
        memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
        network = build_network(genotype, config, num_classes).to(device)
        self.network = network.to(memory_format=memory_format)
        self.optimizer = _optimizer(self.network, config)
        if config.lr_schedule == "cosine":
            self.schedule = cosine(
                self.optimizer, config.epochs, warmup_epochs=config.warmup_epochs
            )
        else:
            self.schedule = exponential(
                self.optimizer, config.lr_decay_epochs, config.warmup_epochs
            )
        self.average: ModelEmaV3 | None = None
        # Copied before compiling: the copy is only measured, which needs no compiled code.
        if config.ema_decay:
            self.average = ModelEmaV3(self.network, config.ema_decay)
        if config.compile:
            self.network.compile()
        self.device = device
        self.epoch = 0

    @property
    def measured_network(self) -> AnyNetwork:
        """The network whose accuracy counts: with averaged weights if there are any."""
        if self.average is None:
            return self.network
        averaged: AnyNetwork = self.average.module
        return averaged

    def to_bytes(self) -> bytes:
        """The state after the last finished epoch."""
        return state_to_bytes(self.epoch, self._modules(), {"optimizer": self.optimizer})

    def restore(self, content: bytes) -> None:
        """Continue from `to_bytes()` of a state of the same configuration.

        Raises:
            CheckpointError: If it is not one.
        """
        self.epoch = restore_state(content, self._modules(), {"optimizer": self.optimizer})

    def _modules(self) -> dict[str, nn.Module]:
        modules: dict[str, nn.Module] = {"network": self.network}
        return modules if self.average is None else modules | {"average": self.average.module}


def _optimizer(network: nn.Module, config: RetrainConfig) -> torch.optim.Optimizer:
    # In timm's words; `rmsproptf` is that of TensorFlow, with which MnasNet was trained.
    own: dict[str, dict[str, Any]] = {
        "sgd": {"opt": "momentum"},
        "rmsprop": {"opt": "rmsproptf", "alpha": 0.9, "eps": 1e-3},
    }
    return create_optimizer_v2(
        network,
        lr=config.lr,
        weight_decay=config.weight_decay,
        momentum=config.momentum,
        filter_bias_and_bn=not config.decay_norms,
        **own[config.optimizer],
    )


def train_step(state: RetrainState, batch: Batch, config: RetrainConfig) -> list[Tensor]:
    """One step on cross-entropy plus the weighted loss of the auxiliary head.

    Args:
        state: Its epoch decides how often paths are dropped.
        batch: Images and labels.
        config: That of the state.
    Returns:
        Cross-entropy of the main head and top-1 in percent, scalars on the device; `state` is
        changed in place.
    """
    images, labels = batch
    smoothing = config.label_smoothing
    state.optimizer.zero_grad()
    with autocast(state.device, config.precision):
        drop_path_prob = config.drop_path * state.epoch / config.epochs
        logits, auxiliary_logits = state.network(images, drop_path_prob)
        loss = total = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        if auxiliary_logits is not None:
            auxiliary = F.cross_entropy(auxiliary_logits, labels, label_smoothing=smoothing)
            total = loss + config.auxiliary_weight * auxiliary
    torch.autograd.backward(total)
    if config.grad_clip:
        nn.utils.clip_grad_norm_(state.network.parameters(), config.grad_clip)
    state.optimizer.step()
    if state.average is not None:
        state.average.update(state.network)
    return [loss, top1_pct(logits, labels)]


@torch.no_grad()
def evaluate(
    network: nn.Module,
    images: Images,
    names: tuple[str, str],
    config: RetrainConfig,
    loader_workers: int = 0,
) -> dict[str, float]:
    """Cross-entropy and top-1 in percent over a set of images.

    Args:
        network: Its first output must be the logits.
        images: Images in memory on the device of the network, or stored ones.
        names: What to call the two, such as `TEST_METRICS`.
        config: Memory format and precision.
        loader_workers: Processes that decode stored images.
    Returns:
        The two values by name; `network` is changed in place: it stays in evaluation mode.
    """
    network.eval()
    device = next(network.parameters()).device
    meter = EpochMeter(names, device)
    for batch, labels in ordered_batches(
        images,
        EVALUATION_BATCH_SIZE,
        channels_last=config.channels_last,
        device=device,
        workers=loader_workers,
    ):
        with autocast(device, config.precision):
            logits, _ = network(batch)
            loss = F.cross_entropy(logits, labels)
        meter.add(len(labels), loss, top1_pct(logits, labels))
    return meter.means()


def retrain(
    genotype: AnyGenotype,
    config: RetrainConfig,
    train: Images,
    test: Images,
    *,
    device: torch.device,
    on_epoch: Callable[[RetrainEpoch, RetrainState], None],
    on_step: Callable[[], None] = lambda: None,
    checkpoint: bytes | None = None,
    loader_workers: int = 0,
) -> RetrainState:
    """Train the network of a genotype from scratch, or the rest of it.

    Args:
        genotype: A valid genotype.
        config: Settings, usually of a named recipe.
        train: All training images; `num_validation` of them are held out.
        test: The images that accuracy is reported on, after every epoch.
        device: Where to compute; images in memory are moved there once.
        on_epoch: Called after every epoch with what it measured and the state to save.
        on_step: Called before every step; what it raises ends the retraining there.
        checkpoint: `RetrainState.to_bytes()` of an unfinished retraining of the same configuration.
        loader_workers: Processes that decode stored images.
    Raises:
        GenotypeError: If the genotype builds no network, see its `invalid_reason`.
        DataError: If too few images are left to train on.
        CheckpointError: If the checkpoint belongs to another configuration.
    """
    state = RetrainState(genotype, config, train.num_classes, device)
    if checkpoint is not None:
        state.restore(checkpoint)
    measured_on = {TEST_METRICS: test.to(device)}
    if config.num_validation:
        train, validation = held_out(train, config.num_validation)
        measured_on[VALIDATION_METRICS] = validation.to(device)
    stream = open_stream(
        train,
        batch_size=config.batch_size,
        seed=config.seed,
        name="retrain",
        augmentation=Augmentation(
            mirror=train.mirror,
            cutout=config.cutout,
            color_jitter=COLOR_JITTER if config.color_jitter else None,
            auto_augment=config.auto_augment,
        ),
        channels_last=config.channels_last,
        device=device,
        workers=loader_workers,
    )
    with stream as batches, float32_products(config.precision):
        while state.epoch < config.epochs:
            epoch = _retrain_epoch(state, batches, measured_on, config, on_step, loader_workers)
            on_epoch(epoch, state)
    return state


def _retrain_epoch(
    state: RetrainState,
    stream: Stream,
    measured_on: dict[tuple[str, str], Images],
    config: RetrainConfig,
    on_step: Callable[[], None],
    loader_workers: int,
) -> RetrainEpoch:
    started = time.monotonic()
    epoch = state.epoch
    # By epoch: a resumed retraining drops the same paths as one that was never interrupted.
    seed_everything(config.seed, "drop_path", epoch)
    state.schedule.step(epoch)
    state.network.train()
    meter = EpochMeter(TRAIN_METRICS, state.device)
    take_step: Callable[[Batch], list[Tensor]] = partial(train_step, state, config=config)
    if config.is_captured(state.device.type):
        # Once an epoch: it keeps the learning rate, and how often paths are dropped.
        take_step = CapturedStep(take_step)
    for step in range(epoch * len(stream), (epoch + 1) * len(stream)):
        on_step()
        batch = stream.batch(step)
        meter.add(len(batch[1]), *take_step(batch))
    state.epoch = epoch + 1
    metrics = meter.means()
    for names, images in measured_on.items():
        metrics |= evaluate(state.measured_network, images, names, config, loader_workers)
    return RetrainEpoch(
        epoch=epoch,
        metrics=metrics,
        lr=current_lr(state.optimizer),
        num_images=meter.num_images,
        wall_s=time.monotonic() - started,
    )
