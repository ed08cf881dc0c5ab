"""Genotypes as DARTS, Fair DARTS and others print them; the texts are those of their code."""

import pytest

from fairdarts.errors import GenotypeError
from fairdarts.genotype.any_genotype import find_genotype, parse_genotype
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.genotype.darts_notation import from_darts, to_darts
from fairdarts.genotype.published import PUBLISHED, published

DARTS_V2 = """DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1),
    ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0),
    ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5],
    reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1),
    ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)],
    reduce_concat=[2, 3, 4, 5])"""
FAIRDARTS_A = (
    "Genotype(normal=[('sep_conv_3x3', 2, 0), ('sep_conv_5x5', 2, 1), ('max_pool_3x3', 4, 0), "
    "('sep_conv_3x3', 5, 0)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 2, 0), "
    "('avg_pool_3x3', 2, 1), ('avg_pool_3x3', 3, 0), ('dil_conv_5x5', 3, 1), "
    "('avg_pool_3x3', 4, 0), ('sep_conv_5x5', 4, 1), ('skip_connect', 5, 0), "
    "('skip_connect', 5, 1)], reduce_concat=range(2, 6))"
)
CELL = "[('sep_conv_3x3', 2, 0)]"
AMOEBANET = """Genotype(normal=[('avg_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_3x3', 0),
    ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), ('avg_pool_3x3', 3), ('sep_conv_3x3', 1),
    ('skip_connect', 1), ('skip_connect', 0), ('avg_pool_3x3', 1)], normal_concat=[4, 5, 6],
    reduce=[('avg_pool_3x3', 0), ('sep_conv_3x3', 1), ('max_pool_3x3', 0), ('sep_conv_7x7', 2),
    ('sep_conv_7x7', 0), ('avg_pool_3x3', 1), ('max_pool_3x3', 0), ('max_pool_3x3', 1),
    ('conv_7x1_1x7', 0), ('sep_conv_3x3', 5)], reduce_concat=[3, 4, 6])"""


def text(normal: str = CELL, concat: str = "range(2, 6)", reduce: str = CELL) -> str:
    return f"Genotype(normal={normal}, normal_concat={concat}, reduce={reduce}, reduce_concat=[2])"


def test_the_form_of_darts_is_read_and_written() -> None:
    genotype = published("DARTS_V2").genotype
    assert from_darts(DARTS_V2) == genotype
    assert to_darts(genotype) == (
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
        "('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), "
        "('dil_conv_3x3', 2)], normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), "
        "('max_pool_3x3', 1), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), "
        "('skip_connect', 2), ('max_pool_3x3', 1), ('skip_connect', 2)], reduce_concat=range(2, 6))"
    )


def test_the_form_of_fair_darts_is_read_and_written() -> None:
    genotype = published("FairDARTS_a").genotype
    assert from_darts(FAIRDARTS_A) == genotype
    # The official code lists node 3 too, which has no input, and leaves it out as well.
    assert to_darts(genotype) == FAIRDARTS_A.replace("range(2, 6)", "[2, 4, 5]", 1)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_genotype_survives_the_notation(name: str) -> None:
    genotype = published(name).genotype
    assert find_genotype(to_darts(genotype)) == find_genotype(name) == genotype


def test_several_operations_of_an_edge_survive_the_notation() -> None:
    edges = (Edge("sep_conv_3x3", 0, 2), Edge("skip_connect", 0, 2), Edge("sep_conv_3x3", 0, 3))
    genotype = Genotype(edges, edges)
    assert from_darts(to_darts(genotype)) == genotype


def test_none_beside_another_input_is_left_out() -> None:
    with_none = DARTS_V2.replace("('skip_connect', 0)", "('none', 0)", 1)
    assert from_darts(with_none).normal == tuple(
        edge for edge in published("DARTS_V2").genotype.normal if edge != Edge("skip_connect", 0, 4)
    )


@pytest.mark.parametrize(
    ("notation", "fault"),
    [
        (AMOEBANET, "normal has 10 entries of two values.*NASNet, AmoebaNet and ENAS have 5 nodes"),
        (text(CELL, "[4, 5]"), r"normal_concat \(=\[4, 5\]\) must be .* or .*, \[2\]"),
        (text(CELL, "[5, 4, 3, 2]"), r"normal_concat .* in order"),
        (text(CELL, "range(0, 10**9)"), "normal_concat must be a list, or range"),
        (text(CELL, "range(2)"), "normal_concat must be a list, or range"),
        (text("[('sep_conv_7x7', 2, 0)]"), r"normal\[0\]: op \(='sep_conv_7x7'\)"),
        (text("[('skip_connect', 7, 0)]"), r"normal\[0\]: from \(=0\) and to \(=7\)"),
        (text("[('skip_connect', 0, 0.99)]"), "normal has weights as third values"),
        (text("[('skip_connect', 0), ('skip_connect', 2, 0)]"), "normal has entries of 2 and 3"),
        (text("[('none', 3, 0), ('skip_connect', 2, 0)]"), "normal: node 3 has no operation but"),
        (text("[('none', [], {}), 'x']"), "normal .* must be a list of"),
        (text("['ab', 'cd']"), "normal .* must be a list of"),
        (text("[('none', [], {})]"), r"normal: node \[\] has no operation"),
        (text("print('run')"), "normal must be a list"),
        (text("__import__('os').system('true')"), "normal must be a list"),
        (text(reduce="[x for x in ()]"), "reduce must be a list"),
        (text() + "; print('run')", "got 2 statements"),
        ("Genotype(**{'normal': []})", "with each of normal, normal_concat"),
        ("Genotype([], [2], [], [2])", "with each of normal, normal_concat"),
        (text().replace("reduce=", "normal="), "with each of normal, normal_concat"),
        ("Genotype(normal=[", "is not Python"),
        ("Genotype(\0)", "is not Python"),
        ("Genotype(" + "9" * 50_000 + ")", "is not Python"),
        ("Genotype(" + "-" * 50_000 + "1)", "nested too deeply"),
        ("Genotype(a" + ".a" * 40_000 + ")", "nested too deeply"),
        ("Genotype(" + " " * 100_000 + ")", "at most 100,000 characters"),
    ],
)
def test_what_is_no_genotype_of_s1_is_refused_with_the_reason(notation: str, fault: str) -> None:
    with pytest.raises(GenotypeError, match=fault) as raised:
        parse_genotype(notation)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 400
