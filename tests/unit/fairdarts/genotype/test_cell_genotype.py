import subprocess
import sys

import pytest

from fairdarts.config import DeriveConfig
from fairdarts.errors import GenotypeError
from fairdarts.genotype.cell_genotype import Derivation, Edge, Genotype, derive
from fairdarts.spaces import S1

THRESHOLD = DeriveConfig(rule="threshold", op_threshold=0.85)
THRESHOLD_EDGE = DeriveConfig(rule="threshold_edge", op_threshold=0.85)
DARTS = DeriveConfig(rule="darts")
INVALID = Genotype((), (Edge("skip_connect", 0, 2),))

Gates = dict[tuple[str, int, int], float]


def derive_normal(high: Gates, config: DeriveConfig, background: float = 0.1) -> Derivation:
    """Derive from gates that are `background` but for those named, in both cells."""
    cell = [[high.get((op, src, dst), background) for op in S1.operations] for src, dst in S1.edges]
    return derive({"normal": cell, "reduce": cell}, config)


def test_threshold_keeps_the_best_operation_of_the_two_best_edges_of_a_node() -> None:
    derivation = derive_normal(
        {
            ("sep_conv_3x3", 0, 3): 0.90,
            ("sep_conv_5x5", 0, 3): 0.95,
            ("dil_conv_3x3", 1, 3): 0.86,
            ("skip_connect", 2, 3): 0.99,
        },
        THRESHOLD,
    )
    assert derivation.genotype.normal == (
        Edge("sep_conv_5x5", 0, 3),
        Edge("skip_connect", 2, 3),
    )


def test_threshold_keeps_a_gate_that_equals_the_threshold_and_drops_the_next_below() -> None:
    at_and_below = {("sep_conv_3x3", 0, 2): 0.85, ("sep_conv_3x3", 1, 2): 0.8499}
    assert derive_normal(at_and_below, THRESHOLD).genotype.normal == (Edge("sep_conv_3x3", 0, 2),)


def test_ties_go_to_the_lower_edge_and_the_lower_operation() -> None:
    tied = {(op, src, 5): 0.9 for op in ("dil_conv_3x3", "avg_pool_3x3") for src in range(1, 5)}
    for config in (THRESHOLD, DARTS):
        kept = [edge for edge in derive_normal(tied, config).genotype.normal if edge.dst == 5]
        assert kept == [Edge("avg_pool_3x3", 1, 5), Edge("avg_pool_3x3", 2, 5)]
    per_edge = derive_normal({(op, 0, 2): 0.9 for op in S1.operations}, THRESHOLD_EDGE)
    assert per_edge.genotype.normal == (Edge("avg_pool_3x3", 0, 2), Edge("max_pool_3x3", 0, 2))


def test_threshold_edge_keeps_two_operations_on_each_of_any_number_of_edges() -> None:
    high: Gates = {("sep_conv_3x3", src, 5): 0.9 for src in range(5)}
    high |= {("skip_connect", 0, 5): 0.95, ("dil_conv_5x5", 0, 5): 0.89}
    assert derive_normal(high, THRESHOLD_EDGE).genotype.normal == (
        Edge("sep_conv_3x3", 0, 5),
        Edge("skip_connect", 0, 5),
        *(Edge("sep_conv_3x3", src, 5) for src in range(1, 5)),
    )


def test_darts_needs_no_threshold() -> None:
    derivation = derive_normal({("skip_connect", 3, 5): 0.2}, DARTS)
    assert Edge("skip_connect", 3, 5) in derivation.genotype.normal
    assert len(derivation.genotype.normal) == len(derivation.genotype.reduce) == 8


def test_margin_is_the_closest_contest_between_kept_and_dropped() -> None:
    high = {
        ("sep_conv_3x3", 0, 2): 0.90,
        ("skip_connect", 0, 2): 0.70,  # 0.20 behind on its edge
        ("sep_conv_3x3", 0, 3): 0.97,
        ("sep_conv_3x3", 1, 3): 0.95,
        ("sep_conv_3x3", 2, 3): 0.91,  # 0.04 behind for a place at node 3
    }
    assert derive_normal(high, THRESHOLD).margins["normal"] == pytest.approx(0.04)
    # Edge (2, 3) may stay now, so the closest is the skip of edge (0, 2).
    assert derive_normal(high, THRESHOLD_EDGE).margins["normal"] == pytest.approx(0.20)


def test_margin_of_a_tie_is_zero_and_of_an_empty_cell_none() -> None:
    assert derive_normal({}, DARTS).margins == {"normal": 0.0, "reduce": 0.0}
    assert derive_normal({}, THRESHOLD).margins == {"normal": None, "reduce": None}


def test_cell_without_live_node_is_an_outcome_with_a_reason() -> None:
    derivation = derive_normal({}, THRESHOLD)
    assert derivation.genotype == Genotype((), ())
    assert "normal cell has no live node" in str(derivation.pruned.invalid_reason())
    fed_by_nothing = Genotype((Edge("skip_connect", 2, 3),), (Edge("skip_connect", 0, 2),))
    assert "normal cell" in str(fed_by_nothing.invalid_reason())


def test_derivation_keeps_the_raw_genotype_beside_the_pruned_one() -> None:
    high = {("sep_conv_3x3", 0, 2): 0.9, ("sep_conv_3x3", 3, 4): 0.9, ("sep_conv_3x3", 4, 5): 0.9}
    derivation = derive_normal(high, THRESHOLD)
    assert len(derivation.genotype.normal) == 3
    assert derivation.pruned.normal == (Edge("sep_conv_3x3", 0, 2),)
    assert derivation.genotype.live_nodes("normal") == (2,)
    assert derivation.pruned.invalid_reason() is None


@pytest.mark.parametrize("gate", [float("nan"), -0.1, 1.5])
def test_gate_outside_its_range_is_refused(gate: float) -> None:
    with pytest.raises(GenotypeError, match=r"must lie in \[0, 1\]"):
        derive_normal({("skip_connect", 0, 2): gate}, THRESHOLD)


def test_gates_of_another_shape_are_refused() -> None:
    good = [[0.5] * 7] * 14
    for bad in ({"normal": good}, {"normal": good, "reduce": [[0.5] * 8] * 14}):
        with pytest.raises(GenotypeError, match=r"reduce cell must have shape \(14, 7\)"):
            derive(bad, THRESHOLD)


def test_skips_are_counted_by_cell() -> None:
    skip = Edge("skip_connect", 0, 2)
    genotype = Genotype((skip, Edge("sep_conv_3x3", 1, 2)), (skip, Edge("skip_connect", 1, 2)))
    assert (genotype.num_skips("normal"), genotype.num_skips("reduce")) == (1, 2)


def test_genotypes_of_the_same_edges_are_equal_in_any_order() -> None:
    edges = (Edge("skip_connect", 0, 2), Edge("sep_conv_3x3", 1, 2), Edge("skip_connect", 0, 3))
    assert Genotype(edges, edges) == Genotype(edges[::-1], edges)


def test_dict_holds_plain_edges() -> None:
    assert INVALID.to_dict() == {
        "normal": [],
        "reduce": [{"op": "skip_connect", "from": 0, "to": 2}],
    }


EDGE = '{"op": "skip_connect", "from": 0, "to": 2}'


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "must be JSON"),
        ("{\n\n", "must be JSON"),
        ("[" * 100_000, "must be JSON"),
        ('{"normal": [' + "9" * 5000 + '], "reduce": []}', "must be JSON"),
        ("null", "exactly the keys normal, reduce"),
        ('"' + "x\\n" * 1000 + '"', "exactly the keys normal, reduce"),
        ('{"normal": []}', "exactly the keys normal, reduce"),
        ('{"normal": [], "reduce": [], "normal_concat": [2]}', "exactly the keys"),
        ('{"normal": [], "normal": [], "reduce": []}', "repeat a key"),
        ('{"normal": {}, "reduce": []}', "must be a list of edges"),
        ('{"normal": [7], "reduce": []}', "exactly the keys op, from, to"),
        ('{"normal": [{"op": "skip_connect", "from": 0}], "reduce": []}', "op, from, to"),
        ('{"normal": [{"op": "none", "from": 0, "to": 2}], "reduce": []}', "allowed: max_pool"),
        ('{"normal": [{"op": ["\\n"], "from": 0, "to": 2}], "reduce": []}', "allowed: max_pool"),
        ('{"normal": [{"op": "skip_connect", "from": 2, "to": 2}], "reduce": []}', "2..5"),
        ('{"normal": [{"op": "skip_connect", "from": 0, "to": 6}], "reduce": []}', "2..5"),
        ('{"normal": [{"op": "skip_connect", "from": 0, "to": 1}], "reduce": []}', "2..5"),
        ('{"normal": [{"op": "skip_connect", "from": -1, "to": 2}], "reduce": []}', "2..5"),
        ('{"normal": [{"op": "skip_connect", "from": false, "to": 2}], "reduce": []}', "2..5"),
        ('{"normal": [{"op": "skip_connect", "from": 0, "to": 2.0}], "reduce": []}', "2..5"),
        ('{"normal": [{"op": "skip_connect", "from": NaN, "to": 1e999}], "reduce": []}', "2..5"),
        (f'{{"normal": [{EDGE}, {EDGE}], "reduce": []}}', "repeats skip_connect"),
    ],
)
def test_hostile_json_is_refused_in_one_sentence(text: str, fault: str) -> None:
    with pytest.raises(GenotypeError) as refused:
        Genotype.from_json(text)
    message = str(refused.value)
    assert fault in message
    assert "\n" not in message
    assert message.endswith(".")
    assert len(message) < 300


def test_two_operations_on_one_edge_are_not_a_repeat() -> None:
    edges = (Edge("sep_conv_3x3", 0, 2), Edge("skip_connect", 0, 2))
    genotype = Genotype(edges, edges)
    assert Genotype.from_json(genotype.to_json()) == genotype


def test_genotypes_work_without_torch() -> None:
    code = "import sys, fairdarts.genotype.published; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
