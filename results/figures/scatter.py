"""Clouds of points: all groups in one panel, or a panel each, with the others in grey behind."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.figures.panels import GAP_IN, LINE_IN, fitting, size_in, text_width, write_title
from results.figures.style import GROUP_COLORS, INK, PAGE_IN, QUIET, SMALL_PT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Of groups, beside their colours."""
LEFT_IN = 0.55
LABELS_IN = 1.9
HEIGHT_IN = 2.4
HEAD_IN = 0.25
AXIS_IN = 0.48
COLUMNS = 5
SMALL_IN = 0.95
MANY_POINTS = 2000
"""More points than this are an image in SVG and PDF, too; otherwise such files take minutes."""


@dataclass(frozen=True)
class Cloud:
    """The points of a group."""

    label: str
    note: str
    """A few words on a line of their own, such as the number of points."""
    xs: Sequence[float]
    ys: Sequence[float]


@dataclass(frozen=True)
class Block:
    """Clouds that can be compared."""

    title: str
    clouds: Sequence[Cloud]
    beside: "Callable[[Axes, bool], None]"
    """Paints what belongs to all clouds into a panel; the flag says that it is a small one."""


def scatter(blocks: Sequence[Block], xlabel: str, ylabel: str) -> "Figure":
    """Paint the blocks one below the other."""
    from matplotlib.figure import Figure

    titles = [_small_titles(block) for block in blocks]
    heads = [HEAD_IN + LINE_IN * block.title.count("\n") for block in blocks]
    total = sum(heads) + sum(AXIS_IN + _height(some) for some in titles)
    figure = Figure(figsize=(PAGE_IN, total), facecolor="white")
    y = total
    for block, some, head in zip(blocks, titles, heads, strict=True):
        y -= head
        figure.text(0.05 / PAGE_IN, (y + 0.08) / total, block.title, weight="bold")
        paint = _paint_small if some else _paint_together
        height = _height(some)
        paint(figure, block, y)
        width = PAGE_IN - (0 if some else LABELS_IN)
        across = (LEFT_IN + (width - LEFT_IN) / 2) / PAGE_IN
        figure.text(across, (y - height - AXIS_IN + 0.14) / total, xlabel, ha="center")
        middle = (y - height / 2) / total
        figure.text(0.05 / PAGE_IN, middle, ylabel, rotation=90, va="center")
        y -= height + AXIS_IN
    return figure


def _small_titles(block: Block) -> list[str]:
    """Titles of a panel for each cloud; empty: one panel has them all."""
    if len(block.clouds) <= len(GROUP_COLORS):
        return []
    return [
        f"{fitting(cloud.label, _small_width(), 3)}\n{fitting(cloud.note, _small_width(), 2)}"
        for cloud in block.clouds
    ]


def _small_width() -> float:
    return (PAGE_IN - LEFT_IN - 0.1 - GAP_IN * (COLUMNS - 1)) / COLUMNS


def _above(titles: Sequence[str]) -> float:
    return max(title.count("\n") + 1 for title in titles) * LINE_IN + 0.06


def _height(titles: Sequence[str]) -> float:
    return -(-len(titles) // COLUMNS) * (SMALL_IN + _above(titles)) if titles else HEIGHT_IN


def _axes(figure: "Figure", x: float, y: float, width: float, height: float) -> "Axes":
    """A panel whose upper left corner is at a place; all in inches."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((x / across, (y - height) / up, width / across, height / up))
    axes.tick_params(length=2, pad=2)
    axes.grid(color=QUIET, lw=0.4, alpha=0.3)
    axes.set_axisbelow(True)
    return axes


def _paint_together(figure: "Figure", block: Block, y: float) -> None:
    axes = _axes(figure, LEFT_IN, y, PAGE_IN - LEFT_IN - LABELS_IN, HEIGHT_IN)
    num_points = sum(len(cloud.xs) for cloud in block.clouds)
    for cloud, color, marker in zip(block.clouds, GROUP_COLORS, MARKERS, strict=False):
        axes.plot(
            cloud.xs,
            cloud.ys,
            marker,
            color=color,
            ms=4.5 if num_points < 300 else 2.5,
            mec="white",
            mew=0.4 if num_points < 300 else 0,
            alpha=0.9 if num_points < 300 else 0.5,
            label=f"{fitting(cloud.label, LABELS_IN - 0.35, 3)}\n{cloud.note}",
            rasterized=num_points > MANY_POINTS,
        )
    axes.margins(0.06)
    block.beside(axes, False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, handletextpad=0.3)


def _paint_small(figure: "Figure", block: Block, y: float) -> None:
    titles = _small_titles(block)
    above, width = _above(titles), _small_width()
    xs = [x for cloud in block.clouds for x in cloud.xs]
    ys = [y for cloud in block.clouds for y in cloud.ys]
    first: Axes | None = None
    for place, (cloud, title) in enumerate(zip(block.clouds, titles, strict=True)):
        row, column = divmod(place, COLUMNS)
        top = y - row * (SMALL_IN + above) - above
        axes = _axes(figure, LEFT_IN + column * (width + GAP_IN), top, width, SMALL_IN)
        write_title(axes, title)
        many = len(xs) > MANY_POINTS / 10
        axes.plot(xs, ys, "o", color="#d5d5d5", ms=1.6, mew=0, rasterized=many)
        axes.plot(cloud.xs, cloud.ys, "o", color=GROUP_COLORS[0], ms=3, mec="white", mew=0.3)
        axes.margins(0.08)
        block.beside(axes, True)
        if first is None:
            first = axes
        axes.set_xlim(first.get_xlim())
        axes.set_ylim(first.get_ylim())
        axes.locator_params(nbins=3)
        axes.tick_params(labelleft=column == 0, labelbottom=place + COLUMNS >= len(block.clouds))


def label_points(
    axes: "Axes",
    points: Sequence[tuple[float, float, str]],
    others: Sequence[tuple[float, float]] = (),
) -> None:
    """Write labels beside points, where they hide neither another point nor another label.

    Args:
        axes: With its final limits.
        points: Place and label of each.
        others: Points without a label.
    """
    width, height = size_in(axes)
    to_inches = axes.transData + axes.transAxes.inverted()
    places = [*((x, y) for x, y, _ in points), *others]
    at = [to_inches.transform(place) * (width, height) for place in places]
    taken = [(x - 0.04, y - 0.04, x + 0.04, y + 0.04) for x, y in at]
    for (x, y), (_, _, label) in zip(at, points, strict=False):
        length, line = text_width([label], SMALL_PT - 1), LINE_IN * 0.85
        spots = [
            (x + 0.07, y - line / 2),
            (x - 0.07 - length, y - line / 2),
            *(
                (x - length / 2 + dx, y + dy)
                for dy in (0.06, -0.06 - line)
                for dx in (0, 0.2, -0.2)
            ),
            *((x + 0.07, y + dy * line) for dy in (0.6, -1.6, 1.6, -2.6)),
        ]
        boxes = [(left, low, left + length, low + line) for left, low in spots]
        inside = [box for box in boxes if box[0] >= 0 and box[2] <= width]
        free = [box for box in inside or boxes if not any(_overlap(box, one) for one in taken)]
        box = (free or inside or boxes)[0]
        taken.append(box)
        axes.text(
            box[0] / width,
            (box[1] + line / 2) / height,
            label,
            size=SMALL_PT - 1,
            color=INK,
            va="center",
            transform=axes.transAxes,
        )


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
