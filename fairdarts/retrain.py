"""Training a derived network from scratch and measuring it (paper Section 5.1)."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.checkpoint import restore_state, state_to_bytes
from fairdarts.config import RetrainConfig
from fairdarts.data.augment import Augmentation
from fairdarts.data.delivery import Stream, open_stream, ordered_batches
from fairdarts.data.images import Images
from fairdarts.genotype import Genotype
from fairdarts.metrics import EpochMeter, top1_pct
from fairdarts.network import DerivedNetwork
from fairdarts.schedule import cosine, set_lr
from fairdarts.seeding import seed_everything

TRAIN_METRICS = ("train_loss", "train_top1_pct")
TEST_METRICS = ("test_loss", "test_top1_pct")
EVALUATION_BATCH_SIZE = 256


@dataclass(frozen=True)
class RetrainEpoch:
    """What one epoch of a retraining measured, on the training and on the whole test set."""

    epoch: int
    metrics: dict[str, float]
    lr: float
    num_images: int
    wall_s: float


class RetrainState:
    """Derived network, its optimiser and the number of finished epochs."""

    def __init__(
        self, genotype: Genotype, config: RetrainConfig, num_classes: int, device: torch.device
    ) -> None:
        seed_everything(config.seed, "network")
        memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
        self.network = (
            DerivedNetwork(
                genotype,
                num_classes=num_classes,
                init_channels=config.init_channels,
                num_cells=config.num_cells,
                auxiliary=config.auxiliary_weight > 0,
                drop_path_mode=config.drop_path_mode,
            )
            .to(device)
            .to(memory_format=memory_format)
        )
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
        self.device = device
        self.epoch = 0

    def to_bytes(self) -> bytes:
        """The state after the last finished epoch."""
        return state_to_bytes(self.epoch, {"network": self.network}, {"sgd": self.optimizer})

    def restore(self, content: bytes) -> None:
        """Continue from `to_bytes()` of a state of the same configuration.

        Raises:
            CheckpointError: If it is not one.
        """
        self.epoch = restore_state(content, {"network": self.network}, {"sgd": self.optimizer})


def train_step(
    state: RetrainState, batch: tuple[Tensor, Tensor], config: RetrainConfig
) -> list[Tensor]:
    """One SGD step on cross-entropy plus the weighted loss of the auxiliary head.

    Returns:
        Cross-entropy of the main head and top-1 in percent, scalars on the device.
    """
    images, labels = batch
    state.optimizer.zero_grad()
    logits, auxiliary_logits = state.network(images)
    loss = total = F.cross_entropy(logits, labels)
    if auxiliary_logits is not None:
        total = loss + config.auxiliary_weight * F.cross_entropy(auxiliary_logits, labels)
    torch.autograd.backward(total)
    nn.utils.clip_grad_norm_(state.network.parameters(), config.grad_clip)
    state.optimizer.step()
    return [loss, top1_pct(logits, labels)]


@torch.no_grad()
def evaluate(
    network: nn.Module, images: Images, *, channels_last: bool, loader_workers: int = 0
) -> dict[str, float]:
    """Cross-entropy and top-1 in percent over a set of images, see `TEST_METRICS`."""
    network.eval()
    device = next(network.parameters()).device
    meter = EpochMeter(TEST_METRICS, device)
    for batch, labels in ordered_batches(
        images,
        EVALUATION_BATCH_SIZE,
        channels_last=channels_last,
        device=device,
        workers=loader_workers,
    ):
        logits, _ = network(batch)
        meter.add(len(labels), F.cross_entropy(logits, labels), top1_pct(logits, labels))
    return meter.means()


def retrain(
    genotype: Genotype,
    config: RetrainConfig,
    train: Images,
    test: Images,
    *,
    device: torch.device,
    on_epoch: Callable[[RetrainEpoch, RetrainState], None],
    checkpoint: bytes | None = None,
    loader_workers: int = 0,
) -> RetrainState:
    """Train the network of a genotype from scratch, or the rest of it.

    Args:
        genotype: A valid genotype.
        config: Settings, usually of a named recipe.
        train: All training images.
        test: The images that accuracy is reported on, after every epoch.
        device: Where to compute; images in memory are moved there once.
        on_epoch: Called after every epoch with what it measured and the state to save.
        checkpoint: `RetrainState.to_bytes()` of an unfinished retraining of the same configuration.
        loader_workers: Processes that decode stored images.
    Raises:
        GenotypeError: If the genotype leaves a cell without any live node.
        CheckpointError: If the checkpoint belongs to another configuration.
    """
    state = RetrainState(genotype, config, train.num_classes, device)
    if checkpoint is not None:
        state.restore(checkpoint)
    test = test.to(device)
    with open_stream(
        train,
        batch_size=config.batch_size,
        seed=config.seed,
        name="retrain",
        augmentation=Augmentation(mirror=train.mirror, cutout=config.cutout),
        channels_last=config.channels_last,
        device=device,
        workers=loader_workers,
    ) as stream:
        while state.epoch < config.epochs:
            on_epoch(_retrain_epoch(state, stream, test, config, loader_workers), state)
    return state


def _retrain_epoch(
    state: RetrainState, stream: Stream, test: Images, config: RetrainConfig, loader_workers: int
) -> RetrainEpoch:
    started = time.monotonic()
    epoch = state.epoch
    seed_everything(config.seed, "drop_path", epoch)
    lr = cosine(epoch, config.epochs, config.lr)
    set_lr(state.optimizer, lr)
    state.network.drop_path_prob = config.drop_path * epoch / config.epochs
    state.network.train()
    meter = EpochMeter(TRAIN_METRICS, state.device)
    for step in range(epoch * len(stream), (epoch + 1) * len(stream)):
        batch = stream.batch(step)
        meter.add(len(batch[1]), *train_step(state, batch, config))
    state.epoch = epoch + 1
    test_metrics = evaluate(
        state.network, test, channels_last=config.channels_last, loader_workers=loader_workers
    )
    return RetrainEpoch(
        epoch=epoch,
        metrics=meter.means() | test_metrics,
        lr=lr,
        num_images=meter.num_images,
        wall_s=time.monotonic() - started,
    )
