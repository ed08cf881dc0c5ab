import pytest
import torch

from fairdarts.config import SearchConfig
from fairdarts.search.state import SearchState
from fairdarts.search.stopping import RULES


def test_two_skips_counts_those_of_the_normal_cell_that_darts_would_derive() -> None:
    config = SearchConfig.build({"init_channels": 2, "num_cells": 3, "relaxation": "softmax"})
    state = SearchState(config, 4, torch.device("cpu"))
    rule = RULES["two_skips"]
    batch = (torch.empty(0), torch.empty(0))
    alphas = state.supernet.alphas["normal"].detach()
    alphas[:, 3] = 1.0  # sep_conv_3x3 everywhere
    assert rule.measure(state, batch) == 0
    alphas[0, 2] = alphas[2, 2] = 2.0  # both edges of node 2 and one of node 3
    assert rule.measure(state, batch) == 2


def test_two_skips_ends_with_the_epoch_that_has_them() -> None:
    rule = RULES["two_skips"]
    assert rule.chosen_epoch([]) is None
    assert rule.chosen_epoch([0, 1, 1]) is None
    assert rule.chosen_epoch([0, 1, 2]) == 2


@pytest.mark.parametrize(
    ("values", "chosen"),
    [
        ([1.0] * 30, None),
        ([1.0] * 5 + [1.29] * 5, None),
        ([1.0] * 5 + [1.31] * 5, 4),
        ([1.0] * 5 + [9.0] * 4, None),  # not yet two windows
        ([5.0] + [1.0] * 5 + [1.31] * 5, 5),
    ],
)
def test_eigenvalue_goes_back_a_window_once_its_mean_grew_by_1_3(
    values: list[float], chosen: int | None
) -> None:
    assert RULES["eigenvalue"].chosen_epoch(values) == chosen
