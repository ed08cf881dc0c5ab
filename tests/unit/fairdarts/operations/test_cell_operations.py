"""The operations of derived networks, against convolutions that torch differentiates itself."""

import copy

import pytest
import torch
from torch import Tensor, nn

from benchmarks.plain_supernet import PlainFactorizedReduce, plain_operation
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.network.cell_network import DerivedCell, DerivedNetwork
from fairdarts.operations.cell_operations import (
    OPERATIONS,
    FactorizedReduce,
)
from fairdarts.spaces import NUM_INPUTS, S1, SPACES, CellSpace
from fairdarts.supernet.stacked_ops import POOLS, SEPARATE

TOLERANCE = 1e-9
FORMATS = {"nhwc": torch.channels_last, "nchw": torch.contiguous_format}
EVERY_OPERATION = tuple(Edge(op, src, 2) for op in S1.operations for src in (0, 1))

in_both_formats = pytest.mark.parametrize("memory_format", FORMATS.values(), ids=FORMATS)


def random(*shape: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=draw)


def assert_same(actual: Tensor | None, expected: Tensor | None, name: str) -> None:
    """Within `TOLERANCE` of the largest entry."""
    assert actual is not None
    assert expected is not None
    scale = max(1.0, expected.abs().max().item())
    error = (actual - expected).abs().max().item() / scale
    assert error <= TOLERANCE, f"{name}: {error:.1e}"


def assert_same_gradients(actual: nn.Module, expected: nn.Module) -> None:
    theirs = dict(expected.named_parameters())
    ours = dict(actual.named_parameters())
    assert list(ours) == list(theirs)
    for name, weight in ours.items():
        assert_same(weight.grad, theirs[name].grad, name)


def with_plain_operations(network: DerivedNetwork) -> DerivedNetwork:
    """A network of the same weights whose operations are the plain ones."""
    plain = copy.deepcopy(network)
    for cell in plain.cells:
        assert isinstance(cell, DerivedCell)
        if isinstance(reduce := cell.fit_older, FactorizedReduce):
            channels = (reduce.conv_even.in_channels, reduce.norm.num_features)
            cell.register_module("fit_older", PlainFactorizedReduce(*channels, affine=True))
        (conv,) = (layer for layer in cell.fit_newer if isinstance(layer, nn.Conv2d))
        for index, edge in enumerate(cell.edges):
            stride = 2 if cell.kind == "reduce" and edge.src < NUM_INPUTS else 1
            cell.operations[index] = plain_operation(
                edge.op, conv.out_channels, stride, affine=True
            )
    plain.double().load_state_dict(network.state_dict())
    return plain


@in_both_formats
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", S1.operations)
def test_output_and_all_gradients_are_those_of_plain_convolutions(
    name: str, stride: int, memory_format: torch.memory_format
) -> None:
    operation = OPERATIONS[name](4, stride).double()
    plain = plain_operation(name, 4, stride, affine=True).double()
    plain.load_state_dict(operation.state_dict())
    x, plain_x = (random(3, 4, 12, 8).requires_grad_() for _ in range(2))
    output = operation(x.contiguous(memory_format=memory_format))
    expected = plain(plain_x)
    assert_same(output, expected, "output")
    direction = random(*expected.shape, seed=1)
    torch.autograd.backward((output * direction).sum())
    torch.autograd.backward((expected * direction).sum())
    assert_same(x.grad, plain_x.grad, "gradient of the input")
    assert_same_gradients(operation, plain)


@in_both_formats
def test_derived_network_is_differentiated_as_one_of_plain_convolutions(
    memory_format: torch.memory_format,
) -> None:
    torch.manual_seed(0)
    genotype = Genotype(EVERY_OPERATION, EVERY_OPERATION)
    network = DerivedNetwork(genotype, 5, init_channels=4, num_cells=4, auxiliary=False).double()
    plain = with_plain_operations(network)
    images, direction = random(3, 3, 16, 16), random(3, 5, seed=1)
    logits, _ = network.to(memory_format=memory_format)(
        images.contiguous(memory_format=memory_format)
    )
    expected, _ = plain(images)
    assert_same(logits, expected, "logits")
    torch.autograd.backward((logits * direction).sum())
    torch.autograd.backward((expected * direction).sum())
    assert_same_gradients(network, plain)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", S1.operations)
def test_a_seed_draws_the_weights_that_plain_convolutions_get(name: str, stride: int) -> None:
    torch.manual_seed(0)
    weights = OPERATIONS[name](4, stride).state_dict()
    torch.manual_seed(0)
    expected = plain_operation(name, 4, stride, affine=True).state_dict()
    assert list(weights) == list(expected)
    assert all(torch.equal(weights[key], expected[key]) for key in expected)


def test_every_operation_of_a_space_has_its_modules() -> None:
    for space in SPACES.values():
        if isinstance(space, CellSpace):
            assert set(space.operations) <= OPERATIONS.keys()
            assert set(space.operations) <= POOLS.keys() | SEPARATE.keys()
