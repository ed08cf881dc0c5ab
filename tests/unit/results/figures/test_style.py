"""Colours of operations: the same everywhere, and told apart in grey and by the colour-blind."""

import itertools

import numpy as np
import pytest

from fairdarts.drawing import picture
from fairdarts.spaces import S1
from results.figures.panels import fitting
from results.figures.style import OPERATION_COLORS, OPERATION_LINES, SKIPS
from results.query.positions import BLOCKS, OPERATIONS

SPACES = {"s1": OPERATIONS, "s2": (*BLOCKS, "skip")}
SIGHT = {  # Machado, Oliveira, Fernandes 2009, full severity; linear RGB.
    "full": np.eye(3),
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen(color: str, sight: str) -> np.ndarray:
    """A colour in CIELAB, as somebody with that sight sees it."""
    rgb = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(SIGHT[sight] @ linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("space", SPACES)
def test_operations_differ_in_colour_for_every_sight(space: str, sight: str) -> None:
    colors = [seen(OPERATION_COLORS[name], sight) for name in SPACES[space]]
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(colors, 2)]
    assert min(distances) > 10


@pytest.mark.parametrize("space", SPACES)
def test_operations_differ_in_grey_and_their_lines_in_dashes(space: str) -> None:
    names = SPACES[space]
    lightness = {name: seen(OPERATION_COLORS[name], "full")[0] for name in names}
    for one, other in itertools.combinations(names, 2):
        assert abs(lightness[one] - lightness[other]) > 4, (one, other)
    # Solid lines are the thick one of skips and a dark one.
    solid = [name for name in names if name not in OPERATION_LINES and name not in SKIPS]
    assert len(solid) == 1
    # Lines with the same dashes are far apart in grey.
    for one, other in itertools.combinations(OPERATION_LINES.keys() & set(names), 2):
        if OPERATION_LINES[one] == OPERATION_LINES[other]:
            assert abs(lightness[one] - lightness[other]) > 30, (one, other)


def test_drawings_of_networks_have_the_colours_of_figures() -> None:
    assert picture.OPERATION_COLORS == OPERATION_COLORS
    assert set(S1.operations) <= OPERATION_COLORS.keys()


def test_a_long_title_is_cut_but_keeps_its_ending() -> None:
    text = "fairdarts search.zero_one_weight=10 " + "word " * 40
    lines = fitting(text, 1.5, 3, ending=" (n = 4)").split("\n")
    assert len(lines) == 3
    assert max(map(len, lines)) <= 27
    assert lines[1].endswith("…")
    assert lines[2] == "(n = 4)"
    assert "search." not in lines[0]
