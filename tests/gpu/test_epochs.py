"""Whole epochs on the device: every method, every kind of retraining, precisions and resuming."""

import math

import pytest
import torch
from random_images import random_images

from fairdarts.config import RetrainConfig, SearchConfig
from fairdarts.genotype.published import published
from fairdarts.network.retrain import retrain
from fairdarts.presets import METHODS, presets
from fairdarts.search.loop import SearchEpoch, search
from fairdarts.search.state import SearchState

pytestmark = pytest.mark.gpu
IMAGES = random_images(32, 16)
SMALL = {"init_channels": 16, "num_cells": 3, "batch_size": 8, "epochs": 1}


def epochs_of(
    config: SearchConfig, device: torch.device, checkpoint: bytes | None = None
) -> list[tuple[SearchEpoch, bytes]]:
    """What each epoch measured, and the state after it."""
    epochs: list[tuple[SearchEpoch, bytes]] = []

    def on_epoch(epoch: SearchEpoch, state: SearchState) -> None:
        epochs.append((epoch, state.to_bytes()))

    search(config, IMAGES, device=device, on_epoch=on_epoch, checkpoint=checkpoint)
    return epochs


def losses(epoch: SearchEpoch) -> dict[str, float]:
    """What rounding moves a little; an accuracy it moves by a whole image."""
    return {name: value for name, value in epoch.metrics.items() if "top1" not in name}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_searches(method: str, device: torch.device) -> None:
    config = SearchConfig.build(METHODS[method]["search"] | SMALL)
    ((epoch, _),) = epochs_of(config, device)
    assert all(map(math.isfinite, (*epoch.metrics.values(), *epoch.gates)))
    if config.stopping:
        assert epoch.stopping_value is not None
        assert math.isfinite(epoch.stopping_value)


def test_s2_is_searched(device: torch.device) -> None:
    small = {"space": "s2", "width": 0.25, "num_layers": 6, "batch_size": 8, "epochs": 1}
    config = SearchConfig.build(presets("fairdarts", "s2")["search"] | small)
    ((epoch, _),) = epochs_of(config, device)
    assert all(map(math.isfinite, epoch.metrics.values()))


@pytest.mark.parametrize("precision", ["tf32", "bfloat16"])
def test_precisions_that_round_begin_as_float32_does(precision: str, device: torch.device) -> None:
    exact, rounded = (
        epochs_of(SearchConfig.build(SMALL | {"precision": name}), device)[0][0]
        for name in ("float32", precision)
    )
    assert rounded.metrics["train_loss"] == pytest.approx(exact.metrics["train_loss"], rel=0.05)
    assert rounded.gates == pytest.approx(exact.gates, abs=0.01)


def test_micro_batches_are_searched(device: torch.device) -> None:
    ((epoch, _),) = epochs_of(SearchConfig.build(SMALL | {"micro_batches": 2}), device)
    assert all(map(math.isfinite, epoch.metrics.values()))


def test_a_search_goes_on_from_a_checkpoint(device: torch.device) -> None:
    config = SearchConfig.build(SMALL | {"epochs": 2})
    (_, checkpoint), (whole, _) = epochs_of(config, device)
    ((resumed, _),) = epochs_of(config, device, checkpoint)
    # Libraries may sum in another order the second time.
    assert resumed.epoch == whole.epoch == 1
    assert resumed.lr == whole.lr
    assert losses(resumed) == pytest.approx(losses(whole), rel=1e-2, abs=1e-2)
    assert resumed.gates == pytest.approx(whole.gates, abs=1e-3)


def test_a_search_with_a_graph_is_the_search_without(cuda: torch.device) -> None:
    eager, replayed = (
        [
            epoch
            for epoch, _ in epochs_of(
                SearchConfig.build(SMALL | {"epochs": 2, "batch_size": 3, "cuda_graph": as_graph}),
                cuda,
            )
        ]
        for as_graph in (False, True)
    )
    for one, other in zip(eager, replayed, strict=True):
        assert other.lr == one.lr
        assert losses(other) == pytest.approx(losses(one), rel=1e-2, abs=1e-2)
        assert other.gates == pytest.approx(one.gates, abs=1e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"precision": "tf32"},
        {"precision": "bfloat16"},
        {"optimizer": "rmsprop", "ema_decay": 0.9, "label_smoothing": 0.1, "num_validation": 10},
        pytest.param({"compile": True}, marks=pytest.mark.slow),  # the compiler takes a minute
    ],
    ids=str,
)
def test_every_kind_of_retraining_steps(changes: dict[str, object], device: torch.device) -> None:
    losses = []
    retrain(
        published("FairDARTS_b").genotype,
        RetrainConfig.build(SMALL | {"init_channels": 4} | changes),
        random_images(32, 32),
        random_images(8, 32),
        device=device,
        on_epoch=lambda epoch, _: losses.append(epoch.metrics["test_loss"]),
    )
    assert len(losses) == 1
    assert math.isfinite(losses[0])
