"""What all figures have in common: sizes, fonts, colours, and the file they are saved to.

Sizes are those of a two-column page, so that a figure needs no scaling in a paper. The same rows
give the same bytes with the same matplotlib, and no display is needed.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

PictureFormat = Literal["png", "svg", "pdf"]

COLUMN_IN = 3.35
"""Width of one column of a page, in inches."""
PAGE_IN = 6.9
"""Width of both columns, in inches."""
DPI = 200
FONT_PT = 8
SMALL_PT = 7

INK = "#222222"
QUIET = "#8a8a8a"
"""Grid, axes, and what only accompanies."""

OPERATION_COLORS = {
    "max_pool_3x3": "#5d4a6b",
    "avg_pool_3x3": "#cdbdd8",
    "skip_connect": "#cc4a0a",
    "sep_conv_3x3": "#123a75",
    "sep_conv_5x5": "#5f9bdc",
    "dil_conv_3x3": "#0b7269",
    "dil_conv_5x5": "#62bfae",
    "E3K3": "#5f9bdc",
    "E3K5": "#62bfae",
    "E3K7": "#e3c27e",
    "E6K3": "#123a75",
    "E6K5": "#0b7269",
    "E6K7": "#6b4400",
    "skip": "#cc4a0a",
}
"""Colour of each operation, in every figure and, repeated in `fairdarts.drawing`, in drawings of
networks. Families share a hue; all differ in lightness, so that they can be told apart in grey and
by the colour-blind."""

OPERATION_LINES = {
    "max_pool_3x3": (0, (1, 1)),
    "avg_pool_3x3": (0, (1, 1)),
    "sep_conv_5x5": (0, (4, 1.2)),
    "dil_conv_3x3": (0, (6, 1, 1, 1)),
    "dil_conv_5x5": (0, (3, 1, 1, 1, 1, 1)),
    "E3K3": (0, (4, 1.2)),
    "E3K5": (0, (3, 1, 1, 1, 1, 1)),
    "E3K7": (0, (1, 1)),
    "E6K5": (0, (6, 1, 1, 1)),
    "E6K7": (0, (1, 1)),
}
"""Dashes of the lines of operations; others are solid."""

SKIPS = ("skip_connect", "skip")
"""What every figure of the paper looks for."""

GROUP_COLORS = ("#1d4f91", "#c2410c", "#0f766e", "#a97bb5", "#8a5a00", "#56a3d9", "#222222")
"""Colours of groups of trials, in the order of the table; Okabe and Ito's hues, darkened."""


@contextmanager
def styled() -> Iterator[None]:
    """The settings of matplotlib in which figures are painted and saved."""
    import matplotlib

    style = matplotlib.rc_context(
        {
            "font.family": "DejaVu Sans",  # It comes with matplotlib: the same on every machine.
            "font.size": FONT_PT,
            "axes.labelsize": FONT_PT,
            "axes.titlesize": FONT_PT,
            "xtick.labelsize": SMALL_PT,
            "ytick.labelsize": SMALL_PT,
            "legend.fontsize": SMALL_PT,
            "legend.frameon": False,
            "text.color": INK,
            "text.parse_math": False,  # A `$` in a name is a plain sign.
            "axes.labelcolor": INK,
            "axes.edgecolor": QUIET,
            "axes.linewidth": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "xtick.color": INK,
            "ytick.color": INK,
            "lines.linewidth": 1.2,
            "savefig.dpi": DPI,
            "svg.fonttype": "none",  # Text stays text: it can be searched and edited.
            "svg.hashsalt": "fairdarts",  # Without it the ids in the file are random.
            "pdf.fonttype": 42,  # Type 3 fonts are refused by some publishers.
        }
    )
    with style:
        yield


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, in inches. It keeps its labels inside."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), facecolor="white", layout="constrained")


def operation_line(operation: str) -> dict[str, Any]:
    """How the line of an operation is drawn, for `Axes.plot`."""
    return {
        "color": operation_color(operation),
        "ls": OPERATION_LINES.get(operation, "-"),
        "lw": 1.8 if operation in SKIPS else 1.1,
    }


def legend_of(operations: Iterable[str], areas: bool = False) -> "list[Artist]":
    """What a legend shows for some operations: their lines, or their areas."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    if areas:
        return [Patch(color=operation_color(name), label=name) for name in operations]
    return [Line2D([], [], label=name, **operation_line(name)) for name in operations]


def operation_color(operation: str) -> str:
    """Colour of an operation, also of one that is not known here."""
    return OPERATION_COLORS.get(operation, QUIET)


def saved(figure: "Figure", format: PictureFormat) -> bytes:
    """The content of a file with a figure; to be called within `styled`."""
    file = io.BytesIO()
    # With a date no two files would be the same.
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[format]
    figure.savefig(file, format=format, metadata=undated)
    return file.getvalue()
