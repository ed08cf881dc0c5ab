"""A step that is replayed as a CUDA graph, and the host, which never waits for the device."""

import copy
import itertools
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from exact_search import assert_same
from random_images import random_images
from torch import Tensor

from fairdarts.config import RetrainConfig, SearchConfig
from fairdarts.data.augment import Augmentation
from fairdarts.data.delivery import open_stream
from fairdarts.genotype.published import published
from fairdarts.network.retrain import TRAIN_METRICS, RetrainState, train_step
from fairdarts.presets import presets
from fairdarts.search.loop import search
from fairdarts.search.objectives import ARCH_METRICS, WEIGHT_METRICS
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step
from fairdarts.seeding import seed_everything
from fairdarts.training.capture import NUM_EAGER_STEPS, CapturedStep, Step
from fairdarts.training.metrics import EpochMeter
from fairdarts.training.precision import float32_products

pytestmark = pytest.mark.gpu
SMALL = {"init_channels": 16, "num_cells": 3, "batch_size": 8}


def test_a_replayed_step_computes_what_the_eager_one_does_in_float64(cuda: torch.device) -> None:
    metrics: list[list[Tensor]] = []
    states: list[dict[str, Tensor]] = []
    for as_graph in (False, True):
        config = SearchConfig.build(SMALL | {"alpha_init_std": 1.0, "cuda_graph": as_graph})
        state = SearchState(config, 10, cuda)
        state.supernet.double().train()
        step: Step = partial(search_step, state, config=config)
        take_step = CapturedStep(step) if as_graph else step
        draw = torch.Generator(cuda).manual_seed(0)
        metrics.append([])
        for size in (8, 8, 8, 8, 4, 8, 8):  # the last batch of a pass may be smaller
            shape = (2, size, 3, 16, 16)
            images = torch.randn(shape, generator=draw, device=cuda, dtype=torch.float64)
            images = images.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            labels = torch.randint(10, (2 * size,), generator=draw, device=cuda)
            found = take_step((images[:size], labels[:size]), (images[size:], labels[size:]))
            # The next replay overwrites them.
            metrics[-1].append(torch.stack([*itertools.chain.from_iterable(found)]).clone())
        states.append(copy.deepcopy(state.supernet.state_dict()))
    for number, (eager, replayed) in enumerate(zip(*metrics, strict=True)):
        assert_same(replayed, eager, f"metrics of step {number}")
    for name, expected in states[0].items():
        assert_same(states[1][name].double(), expected.double(), name)


def test_a_replayed_retraining_drops_the_same_paths_as_the_eager_one(cuda: torch.device) -> None:
    metrics: list[list[Tensor]] = []
    states: list[dict[str, Tensor]] = []
    for as_graph in (False, True):
        state, config = retraining(cuda)
        state.network.double()
        step = partial(train_step, state, config=config)
        take_step = CapturedStep(step) if as_graph else step
        draw = torch.Generator(cuda).manual_seed(0)
        seed_everything(0, "drop_path", state.epoch)
        metrics.append([])
        for size in (8, 8, 8, 8, 4, 8, 8):
            images = torch.randn((size, 3, 32, 32), generator=draw, device=cuda)
            images = images.double().contiguous(memory_format=torch.channels_last)
            labels = torch.randint(10, (size,), generator=draw, device=cuda)
            metrics[-1].append(torch.stack([*take_step((images, labels))]).clone())
        states.append(copy.deepcopy(state.network.state_dict()))
    for number, (eager, replayed) in enumerate(zip(*metrics, strict=True)):
        assert_same(replayed, eager, f"metrics of step {number}")
    for name, expected in states[0].items():
        assert_same(states[1][name].double(), expected.double(), name)


def retraining(device: torch.device, **changes: object) -> tuple[RetrainState, RetrainConfig]:
    """One that drops paths, after the first epoch of two."""
    small = {"init_channels": 4, "num_cells": 3, "batch_size": 8, "epochs": 2, "drop_path": 0.5}
    config = RetrainConfig.build(small | changes)
    state = RetrainState(published("FairDARTS_b").genotype, config, 10, device)
    state.epoch = 1
    state.network.train()
    return state, config


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"precision": "bfloat16"},
        {"optimizer": "rmsprop", "ema_decay": 0.9, "label_smoothing": 0.1},
    ],
    ids=str,
)
def test_no_replayed_step_of_a_retraining_waits_for_the_device(
    changes: dict[str, object], cuda: torch.device
) -> None:
    state, config = retraining(cuda, **changes)
    take_step = CapturedStep(partial(train_step, state, config=config))
    meter = EpochMeter(TRAIN_METRICS, cuda)
    images = torch.randn(8, 3, 32, 32, device=cuda).contiguous(memory_format=torch.channels_last)
    batch = (images, torch.randint(10, (8,), device=cuda))
    for _ in range(NUM_EAGER_STEPS):
        meter.add(8, *take_step(batch))
    with sync_debug_mode("error"):
        for _ in range(3):
            meter.add(8, *take_step(batch))
    assert meter.num_images == 8 * (NUM_EAGER_STEPS + 3)
    assert all(map(math.isfinite, meter.means().values()))


@contextmanager
def sync_debug_mode(mode: str) -> Iterator[None]:
    torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    ("precision", "as_graph", "space"),
    [
        ("float32", False, "s1"),
        ("float32", True, "s1"),
        ("bfloat16", True, "s1"),
        ("float32", False, "s2"),
        ("float32", True, "s2"),
    ],
)
def test_no_step_of_an_epoch_waits_for_the_device(
    precision: str, as_graph: bool, space: str, cuda: torch.device
) -> None:
    small = SMALL if space == "s1" else {"width": 0.25, "num_layers": 6, "batch_size": 8}
    settings = {"space": space, "precision": precision, "cuda_graph": as_graph}
    config = SearchConfig.build(presets("fairdarts", space)["search"] | small | settings)
    state = SearchState(config, 4, cuda)
    state.supernet.train()
    take_step: Step = partial(search_step, state, config=config)
    if as_graph:
        take_step = CapturedStep(take_step)
    meters = [EpochMeter(names, cuda) for names in (WEIGHT_METRICS, ARCH_METRICS)]
    num_images = config.batch_size * (NUM_EAGER_STEPS + 1)
    stream = open_stream(
        random_images(num_images, 16),
        batch_size=config.batch_size,
        seed=0,
        name="weights",
        augmentation=Augmentation(cutout=4),
        channels_last=config.channels_last,
        device=cuda,
    )

    def steps(first: int, last: int) -> None:
        for number in range(first, last):
            batch = batches.batch(number)
            for meter, means in zip(meters, take_step(batch, batch), strict=True):
                meter.add(len(batch[1]), *means)

    with stream as batches, float32_products(config.precision):
        steps(0, len(batches))
        with sync_debug_mode("error"):  # a wait raises, with the line that waits
            steps(len(batches), 2 * len(batches))
    assert meters[0].num_images == 2 * num_images


def test_an_epoch_waits_as_often_whatever_the_number_of_its_steps(cuda: torch.device) -> None:
    waits_of_last_epoch = []
    for num_images in (80, 112):  # 5 and 7 steps: some are replayed
        config = SearchConfig.build(SMALL | {"epochs": 2, "cuda_graph": True})
        so_far = []
        with warnings.catch_warnings(record=True) as caught, sync_debug_mode("warn"):
            warnings.simplefilter("always")
            search(
                config,
                random_images(num_images, 16),
                device=cuda,
                on_epoch=lambda _, __, so_far=so_far, caught=caught: so_far.append(
                    sum("synchroniz" in str(warning.message) for warning in caught)
                ),
            )
        waits_of_last_epoch.append(so_far[1] - so_far[0])
    assert waits_of_last_epoch[0] > 0, "reading the epoch's means is a wait"
    assert waits_of_last_epoch[0] == waits_of_last_epoch[1]
