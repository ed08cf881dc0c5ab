"""What all figures have in common: sizes, fonts, colours, and the file they are saved to.

Sizes are those of a two-column page, so that a figure needs no scaling in a paper. The same rows
give the same bytes with the same matplotlib, and no display is needed.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
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
    "skip_connect": "#c2410c",
    "max_pool_3x3": "#6b5b73",
    "avg_pool_3x3": "#b9a6c2",
    "sep_conv_3x3": "#1d4f91",
    "sep_conv_5x5": "#6fa3d9",
    "dil_conv_3x3": "#0f766e",
    "dil_conv_5x5": "#5bb8a8",
    "skip": "#c2410c",
    "E3K3": "#6fa3d9",
    "E6K3": "#1d4f91",
    "E3K5": "#5bb8a8",
    "E6K5": "#0f766e",
    "E3K7": "#d9b36f",
    "E6K7": "#8a5a00",
}
"""Colour of each operation, in every figure. Families share a hue, as in drawings of cells; their
members differ in lightness, so that they can be told apart in grey, too."""

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


def saved(figure: "Figure", format: PictureFormat) -> bytes:
    """The content of a file with a figure; to be called within `styled`."""
    file = io.BytesIO()
    # With a date no two files would be the same.
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[format]
    figure.savefig(file, format=format, metadata=undated)
    return file.getvalue()
