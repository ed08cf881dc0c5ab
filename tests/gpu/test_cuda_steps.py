"""One epoch of every method and of every kind of retraining on a CUDA device."""

import math

import pytest
import torch

from fairdarts.config import RetrainConfig, SearchConfig
from fairdarts.data.images import ImageSet
from fairdarts.genotype.published import published
from fairdarts.network.retrain import retrain
from fairdarts.presets import METHODS
from fairdarts.search.loop import search

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
CUDA = torch.device("cuda")


def images() -> ImageSet:
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (64, 3, 32, 32), dtype=torch.uint8, generator=draw)
    labels = torch.randint(10, (64,), generator=draw)
    return ImageSet(pixels, labels, tuple("abcdefghij"), (0.5,) * 3, (0.25,) * 3, mirror=True)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_steps(method: str) -> None:
    small = {"init_channels": 4, "num_cells": 4, "batch_size": 16, "epochs": 1}
    config = SearchConfig.build(METHODS[method]["search"] | small)
    losses = []
    search(
        config,
        images(),
        device=CUDA,
        on_epoch=lambda epoch, _: losses.append(epoch.metrics["train_loss"]),
    )
    assert len(losses) == 1
    assert math.isfinite(losses[0])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"precision": "tf32"},
        {"precision": "bfloat16"},
        {"compile": True},
        {"optimizer": "rmsprop", "ema_decay": 0.9, "label_smoothing": 0.1, "num_validation": 10},
    ],
)
def test_every_kind_of_retraining_steps(changes: dict[str, object]) -> None:
    small = {"init_channels": 4, "num_cells": 4, "batch_size": 16, "epochs": 1}
    losses = []
    retrain(
        published("FairDARTS_b").genotype,
        RetrainConfig.build(small | changes),
        images(),
        images(),
        device=CUDA,
        on_epoch=lambda epoch, _: losses.append(epoch.metrics["test_loss"]),
    )
    assert len(losses) == 1
    assert math.isfinite(losses[0])
