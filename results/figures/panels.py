"""Small multiples: panels in a grid, with the room that their texts need.

All margins are given in inches, because all sizes of text are. That keeps panels of a figure of 2
groups as large as those of 40, and takes none of the time of matplotlib's own layouts.
"""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, TypeAlias

from results.figures.panel import ABOVE_IN, Panel, Scale, covering
from results.figures.style import FONT_PT, INK, PAGE_IN, SMALL_PT
from results.text import clean_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT_IN = 0.46
RIGHT_IN = 0.1
BOTTOM_IN = 0.4
GAP_IN = 0.16
LINE_IN = 0.13
"""Height of a line of text."""
LEGEND_IN = 0.2
LEADER_IN = 0.16
"""Length of the line from the end of a line to its label."""
_SECTION = re.compile(r"\b(?:search|data|retrain)\.(?=\w+=)")
CHARACTER_EM = 0.57
"""Mean width of a character of the font, in its size."""


Multiples: TypeAlias = "tuple[Figure, list[list[Panel]]]"
"""A figure, and the panels of each of its blocks."""


@dataclass(frozen=True)
class Block:
    """Panels that belong together."""

    titles: Sequence[str]
    """Of its panels, in rows from left to right."""
    title: str = ""
    endings: Sequence[str] = ()
    """What titles of panels end in, also when they have to be cut."""
    y: Scale | None = None
    """Its vertical axis, if it is another one than that of the figure."""


def epoch_scale(epochs: Iterable[int]) -> Scale:
    """Whole epochs, from the first to the last."""
    numbers = list(epochs)
    first, last = min(numbers), max(numbers)
    alone = 0.5 * (first == last)
    return Scale("epoch", first - alone, last + alone, whole=True)


def count_scale(label: str, highest: float) -> Scale:
    """Whole numbers from 0."""
    return Scale(label, 0, max(1.0, float(highest)) * 1.04, whole=True)


def small_multiples(
    blocks: Sequence[Block],
    columns: int,
    height: float,
    x: Scale,
    y: Scale,
    *,
    width: float = PAGE_IN,
    right: float = RIGHT_IN,
    legend: "Sequence[Artist]" = (),
    note: str = "",
) -> Multiples:
    """Make a figure of empty panels, all of a block with the same axes.

    Args:
        blocks: The panels.
        columns: Panels in a row.
        height: Of each panel, in inches.
        x: Horizontal axis of every panel.
        y: Vertical axis of every panel.
        width: Of the whole figure, in inches.
        right: Margin, in inches.
        legend: What stands above the panels, each with its label.
        note: A sentence below the figure.
    Returns:
        The figure, and the panels of each block.
    """
    from matplotlib.figure import Figure

    panel_width = (width - LEFT_IN - right - GAP_IN * (columns - 1)) / columns
    titles = [
        [
            fitting(title, panel_width, 3, ending=ending)
            for title, ending in zip_longest(block.titles, block.endings, fillvalue="")
        ]
        for block in blocks
    ]
    num_lines = max(
        (title.count("\n") + 1 for some in titles for title in some if title), default=0
    )
    above = num_lines * LINE_IN + 0.06
    rows = [-(-len(block.titles) // columns) for block in blocks]
    heads = [(LINE_IN + 0.03) * bool(block.title) for block in blocks]
    legend_rows = -(-len(legend) // _legend_columns(legend, width)) if legend else 0
    note = fitting(note, width - 0.2, 3)
    below = BOTTOM_IN + (LINE_IN * (note.count("\n") + 1) if note else 0)
    total = legend_rows * LEGEND_IN + below + 0.04
    total += sum(heads) + sum(rows) * (height + above) + (len(blocks) - 1) * 0.2
    figure = Figure(figsize=(width, total), facecolor="white")
    if legend:
        figure.legend(
            handles=legend,
            loc="upper center",
            bbox_to_anchor=(0.5, 1),
            ncols=_legend_columns(legend, width),
            borderaxespad=0.2,
            columnspacing=0.9,
            handlelength=1.4,
        )
    top = total - 0.04 - legend_rows * LEGEND_IN
    axes = covering(figure)
    made: list[list[Panel]] = []
    for block, some, num_rows, head in zip(blocks, titles, rows, heads, strict=True):
        if block.title:
            text = fitting(block.title, width - 0.2)
            figure.text(0.05 / width, top / total, text, va="top", weight="bold", size=FONT_PT)
        top -= head
        made.append([])
        for place, title in enumerate(some):
            row, column = divmod(place, columns)
            left = LEFT_IN + column * (panel_width + GAP_IN)
            bottom = top - (row + 1) * (above + height)
            panel = Panel(axes, left, bottom, panel_width, height, x, block.y or y)
            panel.frame(title, column == 0, place + columns >= len(some))
            made[-1].append(panel)
        top -= num_rows * (height + above) + 0.2
    middle = (LEFT_IN + (width - LEFT_IN - right) / 2) / width
    figure.text(middle, (below - BOTTOM_IN + 0.06) / total, x.label, ha="center", va="bottom")
    # Beside the first block: between two it would stand on the title of the second.
    first_top = total - 0.04 - legend_rows * LEGEND_IN - heads[0]
    centre = (first_top - rows[0] * (height + above) / 2) / total
    ylabel = fitting(y.label, rows[0] * (height + above) + 0.2, 2, FONT_PT)
    figure.text(0.05 / width, centre, ylabel, rotation=90, va="center", ha="left")
    if note:
        figure.text(0.05 / width, 0.04 / total, note, size=SMALL_PT, color=INK, va="bottom")
    return figure, made


def fitting(
    text: str, width: float, num_lines: int = 1, size_pt: float = SMALL_PT, ending: str = ""
) -> str:
    """Break a text into lines of some width in inches, and cut what needs more lines.

    Args:
        text: Any text; settings in it lose the name of their section.
        width: In inches.
        num_lines: The most lines.
        size_pt: Of the letters.
        ending: Stands behind the text, whole.
    """
    characters = max(4, int(width * 72 / (size_pt * CHARACTER_EM)))
    text = _SECTION.sub("", clean_text(text))
    words = ending.lstrip(", ")
    together = ending.removesuffix(words) + words.replace(" ", "\N{NO-BREAK SPACE}")
    whole = textwrap.wrap(text + together, characters)
    if len(whole) <= num_lines:
        return "\n".join(whole)
    if num_lines == 1:
        characters = max(4, characters - len(ending))
        return "".join(textwrap.wrap(text, characters, max_lines=1, placeholder="…")) + ending
    body = num_lines - bool(ending)
    lines = textwrap.wrap(text, characters, max_lines=body, placeholder="…")
    return "\n".join([*lines, ending.lstrip(", ")] if ending else lines)


def text_width(texts: Iterable[str], size_pt: float = SMALL_PT) -> float:
    """About the width of the longest line of these texts, in inches."""
    longest = max((len(line) for text in texts for line in text.split("\n")), default=0)
    return longest * size_pt * CHARACTER_EM / 72


def write_title(axes: "Axes", title: str, above: float = ABOVE_IN) -> None:
    """Write a title so many inches above the left end of Axes.

    Matplotlib's own titles measure all ticks, to find their place.
    """
    y = 1 + above / size_in(axes)[1]
    axes.text(0, y, title, size=SMALL_PT, transform=axes.transAxes)


def size_in(axes: "Axes") -> tuple[float, float]:
    """Width and height of Axes, in inches."""
    dpi = axes.figure.dpi
    return axes.bbox.width / dpi, axes.bbox.height / dpi


def label_ends(panel: Panel, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write labels to the right of a panel, at the heights at which lines end, but apart.

    Args:
        panel: Where the lines are.
        ends: Of each line the height in the units of the axis, the label and the colour.
    """
    ordered = sorted(ends)
    rooms = [LINE_IN * (text.count("\n") + 1) / panel.height for _, text, _ in ordered]
    heights = [float(panel.y.share(height)) for height, _, _ in ordered]
    right = panel.left + panel.width
    for (_, text, color), height, spot in zip(
        ordered, heights, _apart(heights, rooms), strict=True
    ):
        # Text in a light colour could not be read.
        begin, end = (panel.bottom + panel.height * share for share in (height, spot))
        panel.stroke((right + 0.014, begin, right + LEADER_IN - 0.045, end), color, 1.2)
        panel.text(right + LEADER_IN, end, text, va="center")


def _apart(wanted: Sequence[float], rooms: Sequence[float]) -> list[float]:
    """Places in the same order, each with its room, as near to the wanted ones as that allows."""
    pools: list[tuple[float, list[float]]] = []  # Mean of what is wanted, and rooms that touch.
    for place, room in zip(wanted, rooms, strict=True):
        centre, touching = place, [room]
        while pools and pools[-1][0] + sum(pools[-1][1]) / 2 > centre - sum(touching) / 2:
            other, before = pools.pop()
            total = len(before) + len(touching)
            centre = (other * len(before) + centre * len(touching)) / total
            touching = before + touching
        pools.append((centre, touching))
    spots = []
    for centre, touching in pools:
        edge = centre - sum(touching) / 2
        for room in touching:
            spots.append(edge + room / 2)
            edge += room
    return spots


def _legend_columns(legend: "Sequence[Artist]", width: float) -> int:
    widest = text_width([str(handle.get_label()) for handle in legend]) + 0.29
    return max(1, min(len(legend), int(width / widest)))
