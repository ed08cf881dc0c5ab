"""Whole search steps on the path of the kernels are those of the plain search, in float64."""

import pytest
from exact_search import assert_same, assert_same_steps, config_of, states

from benchmarks.plain import twins
from fairdarts import spaces
from fairdarts.kernels import launch
from fairdarts.kernels.engine import HAS_TRITON, INTERPRETED
from fairdarts.spaces import S1, CellSpace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),  # a step takes minutes where others compute, too
    pytest.mark.skipif(
        not (HAS_TRITON and INTERPRETED), reason="Triton interprets if TRITON_INTERPRET=1 is set"
    ),
]


# The time is that of the programs: few edges leave a node, and its features fit in one tile.
@pytest.mark.parametrize(
    ("method", "changes", "num_nodes", "num_steps"),
    [
        ("fairdarts", {}, 1, 3),
        ("fairdarts", {"recompute": True}, 2, 1),
        ("darts", {"order": 2}, 1, 1),
    ],
    ids=str,
)
def test_whole_steps_are_those_of_the_plain_search(
    method: str,
    changes: dict[str, object],
    num_nodes: int,
    num_steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = CellSpace("s1_small", S1.operations, num_nodes=num_nodes)
    monkeypatch.setitem(spaces.SPACES, small.name, small)
    sizes = {"space": small.name, "init_channels": 16, "num_cells": 3, "batch_size": 2}
    config = config_of(method, **sizes, **changes)
    fast, plain = states(config)
    launched: list[str] = []
    with launch.launches(lambda one: launched.append(one.kernel.__name__)):
        assert_same_steps(fast, plain, config, size=8, num=num_steps)
    num_sources = 3 * len(small.edges_from)
    assert launched.count("mix_forward") >= 2 * num_sources * num_steps, "of all nodes, both levels"
    assert launched.count("tap_gradients") > 0
    for twin in twins(plain.supernet, fast.supernet):
        assert_same(twin.fast[twin.part], twin.plain, twin.name)
