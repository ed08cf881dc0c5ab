"""Pictures of cells, like Figure 5 of the paper's supplement, as SVG, PNG or PDF."""

import functools
import itertools
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from fairdarts.drawing.cell_layout import Arrow, Box, CellLayout, lay_out
from fairdarts.drawing.picture import (
    FADED,
    INK,
    INPUT_FILL,
    MARGIN,
    OPERATION_COLORS,
    OUTPUT_FILL,
    TITLE_HEIGHT,
    TITLE_PT,
    add_box,
    add_text,
    add_title,
    picture,
    saved,
    styled,
    text_width,
)
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.spaces import CELL_KINDS, CELL_NAMES, NUM_INPUTS
from fairdarts.vocabulary import PictureFormat

CELL_GAP = 0.3
OPERATION_PT = 9
NODE_PT = TITLE_PT
NODE_ROUNDING = 0.09
LINE_WIDTH = 1.0
NODE_FILL = "#dbe7f5"
DARK_KIN = {
    "avg_pool_3x3": "max_pool_3x3",
    "sep_conv_5x5": "sep_conv_3x3",
    "dil_conv_5x5": "dil_conv_3x3",
}
"""Names of operations with a light colour are written in the dark one of their family."""


def draw(
    genotype: Genotype,
    title: str,
    format: PictureFormat,
    kinds: Sequence[str] = CELL_KINDS,
) -> bytes:
    """The content of a file with a genotype's cells; see `cells_figure`.

    Args:
        genotype: Raw or pruned.
        title: Text above the cells.
        format: Format of the file.
        kinds: The cells to draw: `normal`, `reduce` or both.
    """
    with styled():
        return saved(cells_figure(genotype, title, kinds), format)


def cells_figure(genotype: Genotype, title: str, kinds: Sequence[str] = CELL_KINDS) -> Figure:
    """The picture of a genotype's cells, one below the other, to be made within `styled`.

    Nodes that no input reaches, and operations on them, are grey. In an SVG every node and
    operation has an id, such as `normal-node-0`, `reduce-node-1-isolated` and
    `normal-edge-0-2-skip_connect` (source and destination as in the genotype).

    Args:
        genotype: Raw or pruned.
        title: Text above the cells.
        kinds: The cells to draw: `normal`, `reduce` or both.
    """
    num_nodes = NUM_INPUTS + genotype.num_nodes
    name_width = functools.partial(text_width, size_pt=OPERATION_PT)
    layouts = {
        kind: lay_out(genotype.cell(kind), genotype.live_nodes(kind), num_nodes, name_width)
        for kind in kinds
    }
    titles = {kind: f"{title}, {CELL_NAMES[kind]}" for kind in kinds}
    widths = [layout.width for layout in layouts.values()]
    widths += [text_width(text, TITLE_PT) for text in titles.values()]
    width = max(widths) + 2 * MARGIN
    height = sum(layout.height + TITLE_HEIGHT for layout in layouts.values())
    height += CELL_GAP * (len(layouts) - 1) + 2 * MARGIN

    def paint(axes: Axes) -> None:
        top = height - MARGIN
        for kind, layout in layouts.items():
            add_title(axes, top, titles[kind])
            top -= TITLE_HEIGHT
            live = genotype.live_nodes(kind)
            _CellPicture(axes, kind, (MARGIN, top), layout, live).draw()
            top -= layout.height + CELL_GAP

    return picture(width, height, paint)


class _CellPicture:
    """One cell, drawn on axes whose unit is an inch."""

    def __init__(
        self,
        axes: Axes,
        kind: str,
        corner: tuple[float, float],
        layout: CellLayout,
        live: Sequence[int],
    ) -> None:
        self.axes = axes
        self.kind = kind
        self.corner = corner
        self.layout = layout
        self.output = max(layout.nodes)
        # A cell without a live node has no output either.
        reached = {*live, self.output} if live else set()
        self.isolated = set(range(NUM_INPUTS, self.output + 1)) - reached

    def draw(self) -> None:
        """Draw arrows first, so that nodes and names lie on top."""
        for arrow in self.layout.arrows:
            self._arrow(arrow)
        for number, box in self.layout.nodes.items():
            self._node(number, box)

    def _point(self, x: float, y: float) -> tuple[float, float]:
        return self.corner[0] + x, self.corner[1] - y

    def _arrow(self, arrow: Arrow) -> None:
        color = INK if arrow.edge is None else self._color(arrow.edge.op, arrow.edge.src)
        patch = FancyArrowPatch(
            path=self._path(arrow),
            arrowstyle="-|>,head_length=0.5,head_width=0.2",
            mutation_scale=9,
            linewidth=LINE_WIDTH,
            color=color,
            shrinkA=0,
            shrinkB=0,
        )
        self.axes.add_patch(patch)
        if arrow.edge is None or arrow.label is None:
            return
        edge = arrow.edge
        patch.set_gid(f"{self.kind}-edge-{edge.src}-{edge.dst}-{edge.op}")
        add_text(
            self.axes,
            *self._point(arrow.label.x, arrow.label.y),
            edge.op,
            OPERATION_PT,
            self._color(DARK_KIN.get(edge.op, edge.op), edge.src),
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )

    def _color(self, op: str, src: int) -> str:
        return FADED if src in self.isolated else OPERATION_COLORS.get(op, INK)

    def _path(self, arrow: Arrow) -> Path:
        points = [self._point(*point) for point in arrow.points]
        # Bends and straight pieces take turns; a bend begins and ends horizontally.
        vertices, codes = [points[0]], [Path.MOVETO]
        for index, (start, end) in enumerate(itertools.pairwise(points)):
            if index % 2:
                vertices.append(end)
                codes.append(Path.LINETO)
            else:
                middle = (start[0] + end[0]) / 2
                vertices += [(middle, start[1]), (middle, end[1]), end]
                codes += [Path.CURVE4] * 3
        return Path(vertices, codes)

    def _node(self, number: int, box: Box) -> None:
        isolated = number in self.isolated
        x, y = self._point(box.x, box.y)
        add_box(
            self.axes,
            f"{self.kind}-node-{number}{'-isolated' if isolated else ''}",
            (x - box.width / 2, y - box.height / 2),
            (box.width, box.height),
            NODE_ROUNDING,
            LINE_WIDTH,
            self._fill(number),
            faded=isolated,
        )
        # Formulas, unlike all other text, because the names of cells have an index.
        label = {0: "$c_{k{-}2}$", 1: "$c_{k{-}1}$", self.output: "$c_k$"}
        self.axes.text(
            x,
            y,
            label.get(number, str(number - NUM_INPUTS)),
            ha="center",
            va="center_baseline",
            fontsize=NODE_PT,
            color=FADED if isolated else INK,
            parse_math=True,
        )

    def _fill(self, number: int) -> str:
        if number < NUM_INPUTS:
            return INPUT_FILL
        return OUTPUT_FILL if number == self.output else NODE_FILL
