"""Pictures of S2 networks, like Figure 6 of the paper, as SVG, PNG or PDF.

Blocks are boxes from left to right: the height shows the expansion, the hue the kernel. The
names are the paper's: MBE is an inverted bottleneck with residual, IBE is one without, BOTTLE is
the fixed block without expansion. Channels and size of the features are written below. Lengths are
in inches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from fairdarts.drawing.picture import (
    FADED,
    FADED_FILL,
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
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.spaces import LAYER_SKIP, S2
from fairdarts.vocabulary import PictureFormat

COLUMN_WIDTH = 0.46
BOX_WIDTH = 0.24
BOX_HEIGHT = 0.74
HEIGHT_PER_EXPANSION = 0.05
BOX_GAP = 0.12
BOX_ROUNDING = 0.05
SHAPE_HEIGHT = 0.36
LABEL_PT = 7.5
SIZE_PT = 6
LINE_WIDTH = 0.8
FIXED_FILL = "#dbe7f5"
DARK_EXPANSION = "E6"
"""Blocks with it have dark colours, on which their names are white."""
IMAGE_SIZE = 224
"""Height and width of the image to which the sizes of features belong."""


@dataclass(frozen=True)
class _Column:
    """Boxes that read the same features and whose outputs are summed."""

    boxes: tuple[tuple[str, str, float, str], ...]
    """Id, label, height and colour of each."""
    shape: tuple[int, int] | None
    """Shape of its output: channels, and height = width; None: a flat vector."""


def draw_layers(genotype: LayerGenotype, title: str, format: PictureFormat) -> bytes:
    """The content of a file with a network of S2; see `layers_figure`.

    Args:
        genotype: Raw or pruned.
        title: Text above the network.
        format: Format of the file.
    """
    with styled():
        return saved(layers_figure(genotype, title), format)


def layers_figure(genotype: LayerGenotype, title: str) -> Figure:
    """The picture of a network of S2, to be made within `styled`.

    In an SVG every box has an id, such as `layer-3-E6K5`, `layer-3-removed` and `stem`.

    Args:
        genotype: Raw or pruned.
        title: Text above the network.
    """
    columns = list(_columns(genotype.pruned()))
    tallest = max(_height(column) for column in columns)
    width = max(len(columns) * COLUMN_WIDTH, text_width(title, TITLE_PT)) + 2 * MARGIN
    height = tallest + SHAPE_HEIGHT + TITLE_HEIGHT + 2 * MARGIN

    def paint(axes: Axes) -> None:
        add_title(axes, height - MARGIN, title)
        middle = MARGIN + SHAPE_HEIGHT + tallest / 2
        left: list[float] = []
        shape = None
        for number, column in enumerate(columns):
            x = MARGIN + (number + 0.5) * COLUMN_WIDTH
            right = _draw_boxes(axes, column, x, middle)
            _draw_links(axes, x, middle, left, right)
            left = right
            if column.shape not in (None, shape):
                shape = column.shape
                _draw_shape(axes, x, *shape)

    return picture(width, height, paint)


def _columns(genotype: LayerGenotype) -> Iterator[_Column]:
    def fixed(name: str, label: str, fill: str, shape: tuple[int, int] | None) -> _Column:
        return _Column(((name, label, BOX_HEIGHT, fill),), shape)

    size = IMAGE_SIZE // 2
    yield fixed("stem", "CONV_K3", INPUT_FILL, (S2.stem_channels, size))
    yield fixed("first", "BOTTLE_K3", FIXED_FILL, (S2.first_channels, size))
    for index, layer in enumerate(genotype.shapes):
        size //= layer.stride
        # The skip is the residual of the first block; a second block is only added to it.
        names = iter(["MBE"] if LAYER_SKIP in genotype.layers[index] else [])
        boxes = tuple(
            (
                f"layer-{index}-{block}",
                f"{next(names, 'IBE')}{block.replace('K', '_K').removeprefix('E')}",
                BOX_HEIGHT + HEIGHT_PER_EXPANSION * int(block[1]),
                OPERATION_COLORS[block],
            )
            for block in genotype.blocks(index)
        )
        removed = (f"layer-{index}-removed", "removed", BOX_HEIGHT, FADED_FILL)
        yield _Column(boxes or (removed,), (layer.out_channels, size))
    yield fixed("head", "CONV_K1", INPUT_FILL, (S2.head_channels, size))
    yield fixed("classifier", "POOL, FC", OUTPUT_FILL, None)


def _height(column: _Column) -> float:
    return sum(height for _, _, height, _ in column.boxes) + BOX_GAP * (len(column.boxes) - 1)


def _draw_boxes(axes: Axes, column: _Column, x: float, middle: float) -> list[float]:
    """Draw the boxes one above the other around the middle; return where their centres are."""
    top = middle + _height(column) / 2
    centres = []
    for name, label, height, fill in column.boxes:
        removed = fill == FADED_FILL
        dark = DARK_EXPANSION in name
        corner = (x - BOX_WIDTH / 2, top - height)
        add_box(
            axes, name, corner, (BOX_WIDTH, height), BOX_ROUNDING, LINE_WIDTH, fill, faded=removed
        )
        centres.append(top - height / 2)
        color = FADED if removed else "white" if dark else INK
        add_text(axes, x, centres[-1], label, LABEL_PT, color, rotation=90)
        top -= height + BOX_GAP
    return centres


def _draw_links(
    axes: Axes, x: float, middle: float, left: Sequence[float], right: Sequence[float]
) -> None:
    """Draw lines from the boxes of the previous column to one point, and arrows from it to x."""
    joint = x - COLUMN_WIDTH / 2
    for centre in left:
        start = joint - (COLUMN_WIDTH - BOX_WIDTH) / 2
        axes.plot((start, joint), (centre, middle), color=INK, linewidth=LINE_WIDTH)
    for centre in right if left else ():
        arrow = FancyArrowPatch(
            (joint, middle),
            (x - BOX_WIDTH / 2, centre),
            arrowstyle="-|>,head_length=0.35,head_width=0.15",
            mutation_scale=7,
            linewidth=LINE_WIDTH,
            color=INK,
            shrinkA=0,
            shrinkB=0,
        )
        axes.add_patch(arrow)


def _draw_shape(axes: Axes, x: float, channels: int, size: int) -> None:
    add_text(axes, x, MARGIN + 0.22, str(channels), LABEL_PT)
    add_text(axes, x, MARGIN + 0.07, f"{size}\N{MULTIPLICATION SIGN}{size}", SIZE_PT)
