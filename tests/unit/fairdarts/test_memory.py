import pytest
import torch

from fairdarts.config import RetrainConfig, SearchConfig
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.memory import HeldBytes, retrain_bytes, search_bytes
from fairdarts.presets import RECIPES

GENOTYPE = LayerGenotype.uniform("E3K3", num_layers=6)


def test_the_peak_is_what_was_held_at_once() -> None:
    given = torch.zeros(1000)  # 4 kB, not made inside
    with HeldBytes() as held:
        first = given + 1
        second = first + 1
        del first
        third = second.view(10, 100) + 1  # a view is no memory of its own
        del second, third
    assert held.peak_bytes == 2 * 4000


def search(**changes: object) -> int:
    small = {"init_channels": 4, "num_cells": 3, "batch_size": 16}
    return search_bytes(SearchConfig.build(small | changes), num_classes=10, image_size=16)


def test_a_search_grows_with_its_batch_and_recomputing_or_parts_save_of_it() -> None:
    of_16, of_32, of_48 = (search(batch_size=size) for size in (16, 32, 48))
    assert of_48 - of_32 == pytest.approx(of_32 - of_16, rel=0.05)
    assert search(recompute=True) < 0.6 * of_16
    assert search(micro_batches=2) < 0.6 * of_16


def test_a_retraining_counts_weights_gradients_moments_and_averages() -> None:
    def bytes_of(**changes: object) -> int:
        recipe = RECIPES["imagenet-s2"] | {"batch_size": 2, "width": 0.25, "ema_decay": 0.0}
        return retrain_bytes(GENOTYPE, RetrainConfig.build(recipe | changes), 10, 32)

    rmsprop, sgd = bytes_of(), bytes_of(optimizer="sgd")
    averaged = bytes_of(ema_decay=0.9)
    weights = averaged - rmsprop  # with the running statistics of batch norm
    # RMSProp keeps a mean of squares beside the momentum, one for each weight.
    assert 0.8 * weights < rmsprop - sgd <= weights
    assert sgd > 3 * 0.8 * weights
