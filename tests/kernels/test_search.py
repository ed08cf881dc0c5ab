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
    pytest.mark.timeout(3600),  # a step takes two minutes of a CPU
    pytest.mark.skipif(
        not (HAS_TRITON and INTERPRETED), reason="Triton interprets if TRITON_INTERPRET=1 is set"
    ),
]
SMALL = CellSpace("s1_small", S1.operations, num_nodes=2)


@pytest.mark.parametrize(
    ("method", "changes", "num_steps"),
    [
        ("fairdarts", {}, 3),
        ("fairdarts", {"recompute": True}, 1),
        ("darts", {"order": 2}, 1),
    ],
    ids=str,
)
def test_whole_steps_are_those_of_the_plain_search(
    method: str, changes: dict[str, object], num_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(spaces.SPACES, SMALL.name, SMALL)
    config = config_of(method, space=SMALL.name, init_channels=16, num_cells=3, **changes)
    fast, plain = states(config)
    launched: list[str] = []
    with launch.launches(lambda one: launched.append(one.kernel.__name__)):
        assert_same_steps(fast, plain, config, size=8, num=num_steps)
    assert launched.count("mix_forward") >= 2 * 3 * 3 * num_steps, "kernels computed all nodes"
    assert launched.count("depthwise_backward") > 0
    for twin in twins(plain.supernet, fast.supernet):
        assert_same(twin.fast[twin.part], twin.plain, twin.name)
