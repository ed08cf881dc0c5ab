import pytest
import torch

from fairdarts.config import SearchConfig
from fairdarts.genotype.cell_genotype import Edge, cell_gates
from fairdarts.genotype.dominance import count_dominant, dominant_operations
from fairdarts.search.state import build_supernet
from fairdarts.spaces import S1, CellSpace
from fairdarts.supernet.base import flat

TWO_OPERATIONS = CellSpace("two", ("skip_connect", "sep_conv_3x3"), num_nodes=2)
NOTHING = [[0.0, 0.0]] * 5


def test_sigmoid_gates_dominate_above_three_quarters_and_not_at_it() -> None:
    # Edges (0, 2), (1, 2), (0, 3), (1, 3), (2, 3).
    normal = [[0.75, 0.751], [0.9, 0.8], [0.1, 0.7], [0.0, 0.0], [1.0, 0.5]]
    dominant = dominant_operations({"normal": normal, "reduce": NOTHING}, "sigmoid", TWO_OPERATIONS)
    assert dominant == [
        Edge("sep_conv_3x3", 0, 2),
        Edge("skip_connect", 1, 2),
        Edge("sep_conv_3x3", 1, 2),
        Edge("skip_connect", 2, 3),
    ]


def test_softmax_gates_dominate_as_the_two_highest_into_a_node() -> None:
    normal = [[0.2, 0.8], [0.7, 0.3], [0.4, 0.6], [0.45, 0.55], [0.59, 0.41]]
    reduce = [[0.9, 0.8], [0.1, 0.2], [0.3, 0.1], [0.2, 0.6], [0.1, 0.2]]
    dominant = dominant_operations({"normal": normal, "reduce": reduce}, "softmax", TWO_OPERATIONS)
    assert dominant == [
        Edge("sep_conv_3x3", 0, 2),
        Edge("skip_connect", 1, 2),
        Edge("sep_conv_3x3", 0, 3),
        Edge("skip_connect", 2, 3),
        # Both may lie on one edge: all candidates of the node compete.
        Edge("skip_connect", 0, 2),
        Edge("sep_conv_3x3", 0, 2),
        Edge("sep_conv_3x3", 1, 3),
        Edge("skip_connect", 0, 3),
    ]


def test_ties_go_to_the_lower_index() -> None:
    equal = [[0.5, 0.5]] * 5
    dominant = dominant_operations({"normal": equal, "reduce": equal}, "softmax", TWO_OPERATIONS)
    of_a_cell = [Edge(op, 0, dst) for dst in (2, 3) for op in ("skip_connect", "sep_conv_3x3")]
    assert dominant == of_a_cell * 2


def test_eight_operations_of_an_s1_cell_dominate_under_softmax() -> None:
    gates = torch.rand(2, 14, 7, generator=torch.Generator().manual_seed(0)).tolist()
    dominant = dominant_operations({"normal": gates[0], "reduce": gates[1]}, "softmax")
    assert len(dominant) == 16
    assert [edge.dst for edge in dominant] == [2, 2, 3, 3, 4, 4, 5, 5] * 2


def test_no_sigmoid_gate_need_dominate() -> None:
    gates = {kind: [[0.5] * 7] * 14 for kind in ("normal", "reduce")}
    assert dominant_operations(gates, "sigmoid") == []


def test_gates_with_a_missing_row_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        dominant_operations({"normal": NOTHING[1:], "reduce": NOTHING}, "sigmoid", TWO_OPERATIONS)


def test_cell_gates_undo_flat() -> None:
    supernet = build_supernet(SearchConfig(init_channels=2, num_cells=3, alpha_init_std=1.0), 4)
    gates = supernet.gates()
    rows = cell_gates(flat(gates).tolist())
    assert rows == {kind: gate.tolist() for kind, gate in gates.items()}
    assert rows["normal"] != rows["reduce"]


def test_a_relaxation_without_a_rule_is_not_taken_for_another() -> None:
    with pytest.raises(AssertionError, match="sparsemax"):
        count_dominant([0.5] * 196, "sparsemax", S1)  # type: ignore[arg-type]
