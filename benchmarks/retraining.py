"""Images per second of a training step of a derived network, beside timm's own training.

`python -m benchmarks.retraining` takes about two minutes on a CPU. All rows are measured in one
process, interleaved, on one thread; the timm network has as many MultAdds as the derived one.
All train with drop path, and without the auxiliary head, which MultAdds do not count.
"""

import argparse
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

import timm
import torch
from timm.loss.cross_entropy import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.utils.clip_grad import dispatch_clip_grad
from torch import Tensor, nn

from benchmarks.timing import synchronise
from fairdarts.config import RetrainConfig
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.genotype.published import published
from fairdarts.network.cost import count_multadds
from fairdarts.network.retrain import RetrainState, train_step
from fairdarts.operations.cell_operations import DepthwiseConv, FactorizedReduce
from fairdarts.training.capture import NUM_EAGER_STEPS, CapturedStep
from fairdarts.training.precision import autocast, float32_products
from fairdarts.vocabulary import Precision

NUM_CLASSES = 10
IMAGE_SIZE = 32
MULTADDS_TOLERANCE = 0.05
TIMM_IMAGE_SIZES = range(32, 513, 4)

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Row:
    """One network in training."""

    name: str
    multadds: int
    """For one image."""
    step: Callable[[], object]
    """One step on the same batch as ever."""


@dataclass(frozen=True)
class Timing:
    """How long the measured steps of one round took."""

    wall_s: float
    cpu_s: float
    """Of all threads of the process."""


def derived_row(genotype: Genotype, config: RetrainConfig, device: torch.device) -> Row:
    """The derived network, trained as `fairdarts.network.retrain` does."""
    state = RetrainState(genotype, config, NUM_CLASSES, device)
    return _row_of("derived network", state, config)


def plain_row(genotype: Genotype, config: RetrainConfig, device: torch.device) -> Row:
    """The same with torch's own gradients of depthwise convolutions and of subsampling."""
    state = RetrainState(genotype, config, NUM_CLASSES, device)
    use_plain_gradients(state.network)
    return _row_of("derived network, torch's gradients", state, config)


def _row_of(name: str, state: RetrainState, config: RetrainConfig) -> Row:
    """A training step, as a CUDA graph where the configuration has one."""
    state.network.train()
    state.epoch = config.epochs  # when paths are dropped most often
    batch = _batch(config, IMAGE_SIZE, state.device)
    multadds = count_multadds(state.network, (3, IMAGE_SIZE, IMAGE_SIZE))
    if not config.is_captured(state.device.type):
        return Row(name, multadds, lambda: train_step(state, batch, config))
    captured = CapturedStep(partial(train_step, state, config=config))
    for _ in range(NUM_EAGER_STEPS):
        captured(batch)
    return Row(name, multadds, partial(captured, batch))


def use_plain_gradients(network: nn.Module) -> None:
    """Let torch differentiate what the package does, in place; weights stay the same objects."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, DepthwiseConv):
                setattr(module, name, _plain_conv(child))
            elif isinstance(child, FactorizedReduce):
                setattr(module, name, SlicedReduce(child))


def _plain_conv(conv: DepthwiseConv) -> nn.Conv2d:
    plain = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size[0],
        conv.stride[0],
        int(conv.padding[0]),
        conv.dilation[0],
        groups=conv.groups,
        bias=False,
    )
    plain.weight = conv.weight
    return plain


class SlicedReduce(nn.Module):
    """A factorised reduction that takes every second pixel by slicing."""

    def __init__(self, reduce: FactorizedReduce) -> None:
        super().__init__()
        self.reduce = reduce

    def forward(self, x: Tensor) -> Tensor:
        """As `FactorizedReduce`."""
        x = self.reduce.relu(x)
        halves = [
            self.reduce.conv_even(x[:, :, ::2, ::2]),
            self.reduce.conv_odd(x[:, :, 1::2, 1::2]),
        ]
        reduced: Tensor = self.reduce.norm(torch.cat(halves, dim=1))
        return reduced


def timm_row(model_name: str, multadds: int, config: RetrainConfig, device: torch.device) -> Row:
    """A network of timm at the image size of so many MultAdds, trained as its train script does.

    Raises:
        ValueError: If no image size comes within `MULTADDS_TOLERANCE`.
    """
    model = timm.create_model(model_name, num_classes=NUM_CLASSES, drop_path_rate=config.drop_path)

    def cost(size: int) -> int:
        return count_multadds(model, (3, size, size))

    larger = bisect_left(TIMM_IMAGE_SIZES, multadds, key=cost)  # more pixels, more MultAdds
    nearest = TIMM_IMAGE_SIZES[max(0, larger - 1) : larger + 1]
    image_size = min(nearest, key=lambda size: abs(cost(size) - multadds))
    if abs(cost(image_size) / multadds - 1) > MULTADDS_TOLERANCE:
        raise ValueError(
            f"{model_name} has {cost(image_size) / 1e6:.1f} M MultAdds at {image_size} pixels, "
            f"{multadds / 1e6:.1f} M are wanted: choose another --timm-model, --channels or --cells"
        )
    model = model.to(device).to(memory_format=_memory_format(config)).train()
    optimizer = create_optimizer_v2(
        model, opt="sgd", lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
    cross_entropy = LabelSmoothingCrossEntropy(0.1)  # type: ignore[no-untyped-call]
    images, labels = _batch(config, image_size, device)

    def step() -> None:
        with autocast(device, config.precision):
            loss = cross_entropy(model(images), labels)
        loss.backward()
        dispatch_clip_grad(model.parameters(), value=config.grad_clip, mode="norm")
        optimizer.step()
        optimizer.zero_grad()

    return Row(f"timm {model_name}, {image_size} pixels", cost(image_size), step)


def _batch(config: RetrainConfig, image_size: int, device: torch.device) -> Batch:
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(config.batch_size, 3, image_size, image_size, generator=draw)
    labels = torch.randint(NUM_CLASSES, (config.batch_size,), generator=draw)
    return images.to(device).contiguous(memory_format=_memory_format(config)), labels.to(device)


def _memory_format(config: RetrainConfig) -> torch.memory_format:
    return torch.channels_last if config.channels_last else torch.contiguous_format


def measure(
    rows: Sequence[Row], *, num_rounds: int, num_steps: int, device: torch.device
) -> list[list[Timing]]:
    """Time every row in every round, in turn and back, after two steps of each to warm up.

    Returns:
        The timings of each row, one a round.
    """
    for row in rows:
        _time(row, 2, device)
    timings: list[list[Timing]] = [[] for _ in rows]
    for number in range(num_rounds):
        order = range(len(rows)) if number % 2 == 0 else reversed(range(len(rows)))
        for index in order:
            timings[index].append(_time(rows[index], num_steps, device))
    return timings


def _time(row: Row, num_steps: int, device: torch.device) -> Timing:
    synchronise(device)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in range(num_steps):
        row.step()
    synchronise(device)
    return Timing(time.perf_counter() - wall_s, time.process_time() - cpu_s)


def table(
    rows: Sequence[Row],
    timings: Sequence[Sequence[Timing]],
    *,
    num_images: int,
    device: torch.device,
) -> str:
    """One line a row: medians over the rounds, and the speed relative to the last row.

    Args:
        rows: The last one is the baseline.
        timings: Of each row, one a round.
        num_images: What a row trained on in one round.
        device: The ratio is one of CPU time, which a busy machine disturbs less, or on another
            device of wall time.
    """

    def cost_s(timing: Timing) -> float:
        return timing.cpu_s if device.type == "cpu" else timing.wall_s

    lines = [("network", "MultAdds (M)", "images/s", "images/CPU s", "ratio", "range")]
    for row, of_row in zip(rows, timings, strict=True):
        ratios = [
            cost_s(theirs) / cost_s(ours) for ours, theirs in zip(of_row, timings[-1], strict=True)
        ]
        lines.append(
            (
                row.name,
                f"{row.multadds / 1e6:.1f}",
                f"{num_images / statistics.median(timing.wall_s for timing in of_row):.1f}",
                f"{num_images / statistics.median(timing.cpu_s for timing in of_row):.1f}",
                f"{statistics.median(ratios):.2f}",
                f"{min(ratios):.2f}-{max(ratios):.2f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    )


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retraining", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--genotype", default="FairDARTS_b", help="a published one")
    parser.add_argument("--timm-model", default="mobilenetv2_140")
    parser.add_argument("--channels", type=int, default=16, help="C of the first cell")
    parser.add_argument("--cells", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument(
        "--drop-path",
        type=float,
        default=0.1,
        help="that of half-way through the recipe by default",
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=2, help="of each network in each round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--precision", choices=get_args(Precision), default="float32", help="of all networks"
    )
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    config = RetrainConfig.build(
        {
            "init_channels": arguments.channels,
            "num_cells": arguments.cells,
            "batch_size": arguments.batch_size,
            "drop_path": arguments.drop_path,
            "auxiliary_weight": 0.0,
            "precision": arguments.precision,
        }
    )
    genotype = published(arguments.genotype).genotype
    derived = derived_row(genotype, config, device)
    rows = [
        derived,
        plain_row(genotype, config, device),
        timm_row(arguments.timm_model, derived.multadds, config, device),
    ]
    with float32_products(config.precision):
        timings = measure(
            rows, num_rounds=arguments.rounds, num_steps=arguments.steps, device=device
        )
    print(
        f"{arguments.genotype}, C={arguments.channels}, {arguments.cells} cells, batch "
        f"{arguments.batch_size}, drop path {arguments.drop_path}, "
        f"{arguments.precision}, {arguments.threads} thread(s), {device.type}, "
        f"torch {torch.__version__}, timm {timm.__version__}"
    )
    num_images = arguments.batch_size * arguments.steps
    print(table(rows, timings, num_images=num_images, device=device))


if __name__ == "__main__":
    main()
