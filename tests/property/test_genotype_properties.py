from hypothesis import given, settings
from hypothesis import strategies as st

from fairdarts.config import DeriveConfig
from fairdarts.errors import GenotypeError
from fairdarts.genotype.any_genotype import parse_genotype
from fairdarts.genotype.cell_genotype import Edge, Genotype, derive
from fairdarts.genotype.darts_notation import to_darts
from fairdarts.spaces import CELL_KINDS, S1

ALL_EDGES = [Edge(op, src, dst) for src, dst in S1.edges for op in S1.operations]

# A shared machine may pause for longer than Hypothesis's deadline.
few_examples = settings(deadline=None, max_examples=40)

cells = st.lists(st.sampled_from(ALL_EDGES), unique=True, max_size=20).map(tuple)
genotypes = st.builds(Genotype, cells, cells)
# Gates and thresholds in steps of 1/255, so that ties and gates at the threshold are common.
gate_rows = st.binary(min_size=98, max_size=98).map(
    lambda steps: [[step / 255 for step in steps[start : start + 7]] for start in range(0, 98, 7)]
)
gates = st.fixed_dictionaries({"normal": gate_rows, "reduce": gate_rows})
thresholds = st.integers(1, 254).map(lambda step: step / 255)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["normal", "reduce", "op", "from", "to"]), inner)
    ),
)


def gate_of(edge: Edge, rows: list[list[float]]) -> float:
    return rows[S1.edges.index((edge.src, edge.dst))][S1.operations.index(edge.op)]


@few_examples
@given(genotypes)
def test_genotype_survives_json(genotype: Genotype) -> None:
    assert Genotype.from_json(genotype.to_json()) == genotype


@few_examples
@given(genotypes)
def test_genotype_survives_the_notation_of_darts(genotype: Genotype) -> None:
    assert parse_genotype(to_darts(genotype)) == genotype


@few_examples
@given(json_values)
def test_any_json_value_is_read_or_refused_in_one_line(values: object) -> None:
    try:
        Genotype.from_dict(values)
    except GenotypeError as error:
        assert "\n" not in str(error)


@few_examples
@given(st.sampled_from(["", "{", "Genotype(", "E3K3 "]), st.text())
def test_any_text_is_read_or_refused_in_one_line(start: str, text: str) -> None:
    try:
        parse_genotype(start + text)
    except GenotypeError as error:
        assert "\n" not in str(error)


@few_examples
@given(genotypes)
def test_pruning_reaches_its_fixed_point_at_once(genotype: Genotype) -> None:
    pruned = genotype.pruned()
    assert pruned.pruned() == pruned
    for kind in CELL_KINDS:
        live = {0, 1, *pruned.live_nodes(kind)}
        assert set(pruned.cell(kind)) == {e for e in genotype.cell(kind) if e.src in live}
        assert {edge.dst for edge in pruned.cell(kind)} == live - {0, 1}


@few_examples
@given(gates, thresholds)
def test_threshold_keeps_at_most_two_inputs_a_node_and_no_gate_below(
    gates: dict[str, list[list[float]]], threshold: float
) -> None:
    derivation = derive(gates, DeriveConfig(rule="threshold", op_threshold=threshold))
    for kind in CELL_KINDS:
        edges = derivation.genotype.cell(kind)
        for node in range(2, 6):
            assert sum(edge.dst == node for edge in edges) <= 2
        assert len({(edge.src, edge.dst) for edge in edges}) == len(edges)
        assert all(gate_of(edge, gates[kind]) >= threshold for edge in edges)


@few_examples
@given(gates, thresholds)
def test_threshold_edge_keeps_at_most_two_operations_an_edge_and_no_gate_below(
    gates: dict[str, list[list[float]]], threshold: float
) -> None:
    derivation = derive(gates, DeriveConfig(rule="threshold_edge", op_threshold=threshold))
    for kind in CELL_KINDS:
        edges = derivation.genotype.cell(kind)
        for row, ends in zip(gates[kind], S1.edges, strict=True):
            num_kept = sum((edge.src, edge.dst) == ends for edge in edges)
            assert num_kept == min(2, sum(gate >= threshold for gate in row))
        assert all(gate_of(edge, gates[kind]) >= threshold for edge in edges)


@few_examples
@given(gates)
def test_darts_keeps_two_edges_a_node_with_the_best_operation_of_each(
    gates: dict[str, list[list[float]]],
) -> None:
    derivation = derive(gates, DeriveConfig(rule="darts"))
    for kind in CELL_KINDS:
        edges = derivation.genotype.cell(kind)
        assert [edge.dst for edge in edges] == [2, 2, 3, 3, 4, 4, 5, 5]
        for edge in edges:
            row = gates[kind][S1.edges.index((edge.src, edge.dst))]
            assert gate_of(edge, gates[kind]) == max(row)


@few_examples
@given(gates, thresholds, st.sampled_from(["threshold", "threshold_edge", "darts"]))
def test_margins_are_never_negative(
    gates: dict[str, list[list[float]]], threshold: float, rule: str
) -> None:
    config = DeriveConfig.build({"rule": rule, "op_threshold": threshold})
    assert all(margin is None or margin >= 0 for margin in derive(gates, config).margins.values())
