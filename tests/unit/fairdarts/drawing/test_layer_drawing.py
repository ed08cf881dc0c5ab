import re
import xml.etree.ElementTree as ET
from collections import Counter

from fairdarts.drawing.layer_drawing import draw_layers
from fairdarts.genotype.layer_genotype import LayerGenotype

GENOTYPE = LayerGenotype.from_text(
    "E3K3+E6K5 E3K3+skip E3K5 skip none E3K5+skip+E6K7 E6K7 skip E3K3 E3K3+skip E6K7"
)


def elements(svg: bytes) -> list[ET.Element]:
    return list(ET.fromstring(svg).iter())  # It is also well-formed.


def words(svg: bytes) -> Counter[str]:
    texts = (element for element in elements(svg) if element.tag.endswith("}text"))
    return Counter("".join(text.itertext()).strip() for text in texts)


def test_every_block_is_a_box_with_an_id_and_the_name_that_the_paper_gives_it() -> None:
    svg = draw_layers(GENOTYPE, "x", "svg")
    ids = [element.get("id", "") for element in elements(svg)]
    for index in range(11):
        for block in GENOTYPE.blocks(index):
            assert ids.count(f"layer-{index}-{block}") == 1
    removed = {name for name in ids if name.endswith("removed")}
    assert removed == {f"layer-{index}-removed" for index in (3, 4, 7)}
    assert {"stem", "first", "head", "classifier"} <= set(ids)
    names = {word: n for word, n in words(svg).items() if re.match(r"[IM]BE", word)}
    # A residual beside two blocks is drawn once.
    ibe = {"IBE3_K3": 2, "IBE6_K5": 1, "IBE3_K5": 1, "IBE6_K7": 3}
    assert names == ibe | {"MBE3_K3": 2, "MBE3_K5": 1}


def test_channels_and_sizes_stand_where_they_change() -> None:
    found = words(draw_layers(GENOTYPE, "x", "svg"))
    for channels in (16, 40, 80, 96, 192, 320, 1280):
        assert found[str(channels)] == 1
    assert found["32"] == 2  # the stem and the first stage
    sizes = {word: n for word, n in found.items() if "\N{MULTIPLICATION SIGN}" in word}
    times = "\N{MULTIPLICATION SIGN}"
    assert sizes == {f"{size}{times}{size}": n for size, n in [(112, 2), (56, 1), (28, 1)]} | {
        f"14{times}14": 2,
        f"7{times}7": 3,
    }


def test_the_same_genotype_gives_the_same_bytes_in_both_formats() -> None:
    for format_, start in (("svg", b"<?xml"), ("png", b"\x89PNG")):
        picture = draw_layers(GENOTYPE, "x", format_)  # type: ignore[arg-type]
        assert picture.startswith(start)
        assert picture == draw_layers(GENOTYPE, "x", format_)  # type: ignore[arg-type]


def test_a_title_is_text_and_nothing_else() -> None:
    title = "a $\\frac{1}{2}$ <b>&amp;"
    assert title in words(draw_layers(GENOTYPE, title, "svg"))
