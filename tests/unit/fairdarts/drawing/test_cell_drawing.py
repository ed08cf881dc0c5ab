import itertools
import re
import xml.etree.ElementTree as ET
from collections import Counter

import pytest

from fairdarts.drawing.cell_drawing import draw
from fairdarts.drawing.cell_layout import Box, CellLayout, lay_out
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.genotype.published import published
from fairdarts.spaces import S1

NUM_NODES = 6
DENSE_CELL = tuple(
    Edge(S1.operations[(row + 3 * place) % 7], *edge)
    for row, edge in enumerate(S1.edges)
    for place in (0, 1)
)
DENSE = Genotype(DENSE_CELL, DENSE_CELL)
ISOLATED = Genotype(
    normal=(
        Edge("sep_conv_3x3", 0, 2),
        Edge("max_pool_3x3", 3, 4),
        Edge("skip_connect", 2, 4),
        Edge("skip_connect", 3, 5),
    ),
    reduce=(),
)
GENOTYPES = {
    "dense": DENSE,
    "isolated": ISOLATED,
    **{name: published(name).genotype for name in ("FairDARTS_a", "FairDARTS_b", "DARTS_V2")},
}


def texts(svg: bytes) -> Counter[str]:
    root = ET.fromstring(svg)  # It is also well-formed.
    return Counter(
        "".join(element.itertext()).strip() for element in root.iter() if is_text(element)
    )


def is_text(element: ET.Element) -> bool:
    return element.tag.endswith("}text")


def ids(svg: bytes) -> list[str]:
    return [element.get("id", "") for element in ET.fromstring(svg).iter() if element.get("id")]


def layouts() -> list[tuple[str, CellLayout]]:
    return [
        (
            f"{name} {kind}",
            lay_out(genotype.cell(kind), genotype.live_nodes(kind), NUM_NODES, width),
        )
        for name, genotype in GENOTYPES.items()
        for kind in ("normal", "reduce")
    ]


def width(text: str) -> float:
    return 0.07 * len(text)


def boxes(layout: CellLayout) -> list[Box]:
    labels = [arrow.label for arrow in layout.arrows if arrow.label is not None]
    return [*layout.nodes.values(), *labels]


def overlap(one: Box, other: Box) -> bool:
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2 - 1e-9
        and abs(one.y - other.y) < (one.height + other.height) / 2 - 1e-9
    )


def traced(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """Points along an arrow: its bends are cubic Bézier curves that begin and end level."""
    found = []
    for index, ((x0, y0), (x1, y1)) in enumerate(itertools.pairwise(points)):
        for t in (step / 20 for step in range(21)):
            rise = t if index % 2 else 3 * t**2 - 2 * t**3
            run = t if index % 2 else 1.5 * t - 1.5 * t**2 + t**3
            found.append((x0 + (x1 - x0) * run, y0 + (y1 - y0) * rise))
    return found


@pytest.mark.parametrize("name", GENOTYPES)
def test_every_operation_of_an_svg_is_a_word_in_it_and_has_an_id(name: str) -> None:
    genotype = GENOTYPES[name]
    svg = draw(genotype, name, "svg")

    words, found = texts(svg), ids(svg)
    operations = Counter(edge.op for kind in ("normal", "reduce") for edge in genotype.cell(kind))
    assert {word: n for word, n in words.items() if word in S1.operations} == operations
    assert words["0"] == words["3"] == 2
    for kind in ("normal", "reduce"):
        assert words[f"{name}, {'normal' if kind == 'normal' else 'reduction'} cell"] == 1
        for edge in genotype.cell(kind):
            assert found.count(f"{kind}-edge-{edge.src}-{edge.dst}-{edge.op}") == 1


def test_isolated_nodes_and_what_leaves_them_are_marked_and_grey() -> None:
    svg = draw(ISOLATED, "x", "svg")

    isolated = {name for name in ids(svg) if name.endswith("-isolated")}
    in_reduce = {f"reduce-node-{node}-isolated" for node in range(2, 7)}  # The output is one.
    assert isolated == {"normal-node-3-isolated", "normal-node-5-isolated"} | in_reduce
    assert grey(svg, "normal-node-3-isolated")
    assert grey(svg, "normal-edge-3-4-max_pool_3x3")
    assert grey(svg, "normal-edge-3-5-skip_connect")
    assert not grey(svg, "normal-edge-2-4-skip_connect")
    assert not grey(svg, "normal-node-4")


def grey(svg: bytes, name: str) -> bool:
    (group,) = (element for element in ET.fromstring(svg).iter() if element.get("id") == name)
    return all("stroke: #a8a8a8" in path.get("style", "") for path in group)


def test_one_cell_alone_is_drawn() -> None:
    svg = draw(published("DARTS_V2").genotype, "x", "svg", ["reduce"])
    assert not [name for name in ids(svg) if name.startswith("normal")]
    assert "reduce-node-0" in ids(svg)


def test_the_same_genotype_gives_the_same_bytes_and_no_date() -> None:
    genotype = published("FairDARTS_a").genotype
    for format_ in ("svg", "png"):
        assert draw(genotype, "x", format_) == draw(genotype, "x", format_)
    assert not re.search(rb"<dc:date>|20\d\d-\d\d-\d\d", draw(genotype, "x", "svg"))


def test_a_png_is_a_png() -> None:
    assert draw(ISOLATED, "x", "png").startswith(b"\x89PNG\r\n\x1a\n")


def test_a_title_is_text_and_nothing_else() -> None:
    title = "a $\\frac{1}{2}$ <b>&amp;"
    assert f"{title}, normal cell" in texts(draw(ISOLATED, title, "svg"))


@pytest.mark.parametrize(("name", "layout"), layouts())
def test_nodes_and_names_do_not_overlap_and_lie_in_the_picture(
    name: str, layout: CellLayout
) -> None:
    for one, other in itertools.combinations(boxes(layout), 2):
        assert not overlap(one, other)
    for box in boxes(layout):
        assert box.width / 2 - 1e-9 <= box.x <= layout.width - box.width / 2 + 1e-9
        assert box.height / 2 - 1e-9 <= box.y <= layout.height - box.height / 2 + 1e-9


@pytest.mark.parametrize(("name", "layout"), layouts())
def test_no_arrow_crosses_a_node_or_the_name_of_another(name: str, layout: CellLayout) -> None:
    for arrow in layout.arrows:
        points = [Box(x, y, 0, 0) for x, y in traced(arrow.points)]
        for box in boxes(layout):
            if box != arrow.label:
                assert not any(overlap(point, box) for point in points)


@pytest.mark.parametrize(("name", "layout"), layouts())
def test_arrows_lead_from_left_to_right_and_part_where_they_share_nodes(
    name: str, layout: CellLayout
) -> None:
    for arrow in layout.arrows:
        assert all(left[0] <= right[0] for left, right in itertools.pairwise(arrow.points))
    for one, other in itertools.combinations(layout.arrows, 2):
        assert one.points[0] != other.points[0]
        assert one.points[-1] != other.points[-1]
