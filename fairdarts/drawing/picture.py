"""What all pictures have in common: style, title, boxes, text, and the file they are saved to.

The same picture gives the same bytes with the same matplotlib, and no display is needed. Lengths
are in inches, sizes of text in points.
"""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch
from matplotlib.textpath import TextPath

from fairdarts.vocabulary import PictureFormat

DPI = 200
MARGIN = 0.15
TITLE_HEIGHT = 0.34
TITLE_PT = 10
POINTS_PER_INCH = 72
FONT = "DejaVu Sans"
"""It comes with matplotlib, so it is the same on every machine."""

INK = "#222222"
FADED = "#a8a8a8"
"""Colour of the outline and the text of parts that the network leaves out."""
FADED_FILL = "#eeeeee"
INPUT_FILL, OUTPUT_FILL = "#d3e8d0", "#f6e6b8"
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
"""Colour of each operation: those of `results.figures.style`, which this may not import; a test
compares the two."""


def picture(width: float, height: float, paint: Callable[[Axes], None]) -> Figure:
    """One picture, to be made and saved within `styled`.

    Args:
        width: In inches.
        height: In inches.
        paint: Draws on axes whose unit is an inch and whose origin is the lower left corner.
    """
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    paint(axes)
    return figure


@contextmanager
def styled() -> Iterator[None]:
    """The settings of matplotlib in which pictures are made and saved."""
    style = matplotlib.rc_context(
        {
            "font.family": FONT,
            "mathtext.fontset": "dejavusans",
            "svg.fonttype": "none",  # Text stays text: it can be searched and edited.
            "svg.hashsalt": "fairdarts",  # Without it the ids in the file are random.
            "pdf.fonttype": 42,  # Type 3 fonts are refused by some publishers.
        }
    )
    with style:
        yield


def saved(figure: Figure, format: PictureFormat) -> bytes:
    """The content of a file with a picture."""
    file = io.BytesIO()
    # With a date no two files would be the same.
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[format]
    figure.savefig(file, format=format, dpi=DPI, metadata=undated)
    return file.getvalue()


def text_width(text: str, size_pt: float) -> float:
    """Width of a text in inches."""
    literal = text.replace("$", r"\$")  # A `$` would begin a formula.
    path = TextPath((0, 0), literal, size=size_pt, prop=FontProperties(family=FONT))
    return float(np.max(path.vertices[:, 0])) / POINTS_PER_INCH


def add_title(axes: Axes, top: float, text: str) -> None:
    """Write a title at the left margin, from `top` downwards; it takes `TITLE_HEIGHT`."""
    axes.text(MARGIN, top, text, va="top", fontsize=TITLE_PT, color=INK, parse_math=False)


def add_text(
    axes: Axes, x: float, y: float, text: str, size_pt: float, color: str = INK, **settings: Any
) -> None:
    """Write a text around its centre; a `$` is a plain sign and does not begin a formula.

    Args:
        axes: Where to write.
        x: Centre of the text.
        y: Centre of the text.
        text: What to write.
        size_pt: Size in points.
        color: Colour of the letters.
        settings: Other arguments of `Axes.text`, such as `rotation`.
    """
    axes.text(
        x,
        y,
        text,
        ha="center",
        va="center",
        fontsize=size_pt,
        color=color,
        parse_math=False,
        **settings,
    )


def add_box(
    axes: Axes,
    name: str,
    corner: tuple[float, float],
    size: tuple[float, float],
    rounding: float,
    line_width: float,
    fill: str,
    faded: bool,
) -> None:
    """Draw a box with round corners.

    Args:
        axes: Where to draw.
        name: Its id in an SVG file.
        corner: Its lower left corner.
        size: Width and height.
        rounding: Radius of the corners.
        line_width: Width of the outline in points.
        fill: Its colour, unless it is faded.
        faded: Draw it grey and dashed: the network leaves it out.
    """
    box = FancyBboxPatch(
        corner,
        *size,
        boxstyle=f"round,pad=0,rounding_size={rounding}",
        linewidth=line_width,
        facecolor=FADED_FILL if faded else fill,
        edgecolor=FADED if faded else INK,
        linestyle="--" if faded else "-",
    )
    box.set_gid(name)
    axes.add_patch(box)
