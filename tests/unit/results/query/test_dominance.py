"""Dominant operations are those that a search counts: the two definitions agree."""

import numpy as np
import pytest

from fairdarts.genotype.dominance import count_dominant
from fairdarts.spaces import SPACES
from results.query.dominance import dominant
from results.query.positions import LAYER_SPACES, positions


@pytest.mark.parametrize("relaxation", ["sigmoid", "softmax"])
@pytest.mark.parametrize("space", SPACES)
def test_a_search_counts_the_same_operations(space: str, relaxation: str) -> None:
    places = positions(space, 19 if space in LAYER_SPACES else None)
    # Few values, so that there are ties; and some at the threshold.
    gates = np.random.default_rng(0).integers(0, 9, (20, len(places))) / 8
    found = dominant(gates, places, relaxation)
    is_skip = np.array([place.operation in ("skip", "skip_connect") for place in places])
    for row, mask in zip(gates, found, strict=True):
        counted = count_dominant(row.tolist(), relaxation, SPACES[space])  # type: ignore[arg-type]
        assert (mask.sum(), (mask & is_skip).sum()) == counted
