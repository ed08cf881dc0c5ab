import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.config import SearchConfig
from fairdarts.operations.cell_operations import FactorizedReduce
from fairdarts.presets import METHODS
from fairdarts.search.state import build_supernet
from fairdarts.spaces import S1
from fairdarts.supernet.base import Supernet, flat
from fairdarts.supernet.mixed_ops import MixedOps
from fairdarts.supernet.stacked_ops import StackedConv

# Supplementary Table 2: edge number to (intermediate node, incoming node).
TABLE_2 = (
    *((0, 0), (0, 1)),
    *((1, 0), (1, 1), (1, 2)),
    *((2, 0), (2, 1), (2, 2), (2, 3)),
    *((3, 0), (3, 1), (3, 2), (3, 3), (3, 4)),
)


def random(*shape: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=draw)


def tiny_supernet(relaxation: str = "sigmoid", num_cells: int = 3) -> Supernet:
    values = {"init_channels": 2, "num_cells": num_cells, "alpha_init_std": 1.0}
    torch.manual_seed(0)
    config = SearchConfig.build({**values, "relaxation": relaxation})
    return build_supernet(config, num_classes=5).double()


def test_edges_are_those_of_supplementary_table_2() -> None:
    assert S1.edges == tuple((incoming, node + 2) for node, incoming in TABLE_2)


def test_s1_has_196_alphas_in_two_cells() -> None:
    alphas = tiny_supernet().architecture_parameters()
    assert [tuple(alpha.shape) for alpha in alphas] == [(14, 7), (14, 7)]
    assert 2 * len(S1.edges) * len(S1.operations) == 196


def test_every_parameter_is_either_an_alpha_or_a_weight() -> None:
    supernet = tiny_supernet()
    alphas = {id(alpha) for alpha in supernet.architecture_parameters()}
    weights = {id(weight) for weight in supernet.weight_parameters()}
    assert not alphas & weights
    assert alphas | weights == {id(parameter) for parameter in supernet.parameters()}


def test_fairdarts_starts_at_gates_of_one_half_and_darts_nearly_even() -> None:
    fair = build_supernet(SearchConfig(init_channels=2, num_cells=3), 5)
    assert flat(fair.gates()).tolist() == [0.5] * 196
    darts_config = SearchConfig.build(
        METHODS["darts"]["search"] | {"init_channels": 2, "num_cells": 3}
    )
    gates = flat(build_supernet(darts_config, 5).gates())
    assert gates.tolist() == pytest.approx([1 / 7] * 196, rel=0.01)
    assert len(set(gates.tolist())) > 100


def test_initial_alphas_are_a_function_of_the_seed_alone() -> None:
    def alphas(seed: int) -> Tensor:
        torch.manual_seed(seed + 7)  # has no say
        config = SearchConfig(init_channels=2, num_cells=3, alpha_init_std=1e-3, seed=seed)
        return torch.stack([*build_supernet(config, 5).architecture_parameters()])

    assert torch.equal(alphas(1), alphas(1))
    assert not torch.equal(alphas(1), alphas(2))
    assert alphas(1).std().item() == pytest.approx(1e-3, rel=0.2)


@pytest.mark.parametrize("relaxation", ["sigmoid", "softmax"])
def test_gates_are_those_of_equation_6_or_2(relaxation: str) -> None:
    supernet = tiny_supernet(relaxation)
    gates = supernet.gates()
    for kind, alpha in supernet.alphas.items():
        for row, gate in zip(alpha.detach(), gates[kind], strict=True):
            powers = row.exp()
            expected = powers / (1 + powers) if relaxation == "sigmoid" else powers / powers.sum()
            torch.testing.assert_close(gate.detach(), expected, rtol=1e-12, atol=0)


def test_flat_put_the_normal_cell_first_row_by_row() -> None:
    supernet = tiny_supernet()
    gates = supernet.gates()
    rows = [row for kind in ("normal", "reduce") for row in gates[kind].tolist()]
    assert flat(gates).tolist() == [gate for row in rows for gate in row]


def mixed_ops(num_edges: int = 3, channels: int = 4, stride: int = 1) -> MixedOps:
    torch.manual_seed(0)
    return MixedOps(S1, channels, num_edges, stride).double()


@pytest.mark.parametrize("stride", [1, 2])
def test_mixed_features_are_the_sum_of_the_candidates_by_gates(stride: int) -> None:
    module, x, gates = mixed_ops(stride=stride), random(2, 4, 8, 8), random(3, 7, seed=1)
    outputs = module(x, gates)
    alone = [module(x, torch.eye(7, dtype=torch.float64)[[o] * 3]) for o in range(7)]
    for edge, output in enumerate(outputs):
        assert output.shape == (2, 4, 8 // stride, 8 // stride)
        expected = sum(gates[edge, o] * alone[o][edge] for o in range(7))
        torch.testing.assert_close(output, expected, rtol=1e-9, atol=1e-9)


def test_candidates_come_in_the_order_of_the_space() -> None:
    x, norm = random(2, 4, 8, 8), nn.BatchNorm2d(4, affine=False).double()

    def only(operation: int) -> Tensor:
        gates = torch.zeros(1, 7, dtype=torch.float64)
        gates[0, operation] = 1
        (output,) = mixed_ops(num_edges=1)(x, gates)
        assert isinstance(output, Tensor)
        return output

    candidates = mixed_ops(num_edges=1).separate
    for kernel, dilation, operation in ((3, 2, 5), (5, 2, 6)):
        conv = candidates[f"dil_conv_{kernel}x{kernel}"]
        assert isinstance(conv, StackedConv)
        padding = dilation * (kernel - 1) // 2
        spread = F.conv2d(x.relu(), conv.depthwise, None, 1, padding, dilation, groups=4)
        torch.testing.assert_close(only(operation), norm(F.conv2d(spread, conv.pointwise)))
    torch.testing.assert_close(only(0), norm(F.max_pool2d(x, 3, 1, 1)))
    pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(only(1), norm(pooled))
    torch.testing.assert_close(only(2), x)


def test_pooling_is_normalised_like_the_other_candidates() -> None:
    x = 5 + 3 * random(8, 4, 8, 8)
    for operation in (0, 1):
        gates = torch.zeros(1, 7, dtype=torch.float64)
        gates[0, operation] = 1
        (output,) = mixed_ops(num_edges=1)(x, gates)
        assert output.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0.0] * 4, abs=1e-9)
        assert output.var(dim=(0, 2, 3)).tolist() == pytest.approx([1.0] * 4, rel=0.01)


def test_supernet_has_no_affine_norm_but_in_the_stem() -> None:
    supernet = tiny_supernet()
    affine = [
        name
        for name, module in supernet.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.affine
    ]
    assert affine == ["stem.1"]


@pytest.mark.parametrize(("num_cells", "reductions"), [(3, [1, 2]), (4, [1, 2]), (8, [2, 5])])
def test_reduction_cells_lie_at_a_third_and_two_thirds(
    num_cells: int, reductions: list[int]
) -> None:
    with torch.device("meta"):
        supernet = build_supernet(SearchConfig(init_channels=2, num_cells=num_cells), 5)
    kinds = supernet.cell_kinds
    assert [index for index, kind in enumerate(kinds) if kind == "reduce"] == reductions
    assert kinds.count("normal") == num_cells - 2


def test_cells_put_out_four_nodes_and_reductions_double_the_channels() -> None:
    supernet = tiny_supernet(num_cells=4)
    shapes: list[tuple[int, ...]] = []
    for module in [supernet.stem, *supernet.cells]:
        module.register_forward_hook(lambda _, __, output: shapes.append(tuple(output.shape)))
    logits = supernet(random(2, 3, 16, 16), supernet.gates())
    assert shapes == [
        (2, 6, 16, 16),
        (2, 8, 16, 16),
        (2, 16, 8, 8),
        (2, 32, 4, 4),
        (2, 32, 4, 4),
    ]
    assert logits.shape == (2, 5)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-4)], ids=str
)
def test_factorized_reduce_is_two_strided_convolutions_one_shifted_by_a_pixel(
    dtype: torch.dtype, tolerance: float
) -> None:
    torch.manual_seed(0)
    module = FactorizedReduce(4, 4, affine=False).to(dtype).to(memory_format=torch.channels_last)
    x, direction = random(4, 4, 8, 8), random(4, 4, 4, 4, seed=1)
    # Float64 and NCHW: strided, channels last and float32, the definition itself goes wrong.
    weights = [
        conv.weight.detach().double().contiguous().requires_grad_()
        for conv in (module.conv_even, module.conv_odd)
    ]
    even = F.conv2d(x.relu(), weights[0], stride=2)
    odd = F.conv2d(x.relu()[:, :, 1:, 1:], weights[1], stride=2)
    expected = F.batch_norm(torch.cat([even, odd], dim=1), None, None, training=True)
    expected_gradients = torch.autograd.grad((expected * direction).sum(), weights)

    output = module(x.to(dtype).contiguous(memory_format=torch.channels_last))
    (output * direction.to(dtype)).sum().backward()
    torch.testing.assert_close(output.double(), expected, rtol=tolerance, atol=tolerance)
    for conv, gradient in zip((module.conv_even, module.conv_odd), expected_gradients, strict=True):
        assert conv.weight.grad is not None
        actual = conv.weight.grad.double()
        torch.testing.assert_close(actual, gradient, rtol=tolerance, atol=10 * tolerance)
