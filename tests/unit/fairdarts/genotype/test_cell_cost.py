"""Costs by arithmetic equal those counted on the built network."""

import itertools
from typing import Any

import pytest
from built_cost import built_cost
from torch import nn

from fairdarts.config import SampleConfig
from fairdarts.errors import ConfigError, GenotypeError
from fairdarts.genotype.cell_cost import cell_network_cost, operation_cost
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.genotype.published import PUBLISHED
from fairdarts.genotype.sampling import samples
from fairdarts.network.cost import count_multadds, count_params
from fairdarts.operations.cell_operations import OPERATIONS
from fairdarts.spaces import S1

PAPER: dict[str, Any] = {
    "init_channels": 36,
    "num_cells": 20,
    "image_size": 32,
    "num_classes": 10,
    "auxiliary": True,
    "stem": "cifar",
}
SCALES: list[dict[str, Any]] = [
    {"init_channels": 4, "num_cells": 3, "image_size": 8, "num_classes": 2, "auxiliary": False},
    {"init_channels": 7, "num_cells": 5, "image_size": 36, "num_classes": 11},  # odd channels
    {"init_channels": 9, "num_cells": 8, "image_size": 256, "num_classes": 7, "stem": "imagenet"},
]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_networks_cost_what_is_counted(name: str) -> None:
    genotype = PUBLISHED[name].genotype
    assert cell_network_cost(genotype, **PAPER) == built_cost(genotype, **PAPER)


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_any_scale_costs_what_is_counted(scale: dict[str, Any]) -> None:
    for genotype in [*samples(SampleConfig(), 4), PUBLISHED["FairDARTS_a"].genotype]:
        assert cell_network_cost(genotype, **PAPER | scale) == built_cost(genotype, **PAPER | scale)


def test_cells_with_several_operations_on_an_edge_and_isolated_nodes_cost_what_is_counted() -> None:
    everything = tuple(
        Edge(op, src, dst) for op, (src, dst) in itertools.product(S1.operations, S1.edges)
    )
    one = (Edge("skip_connect", 0, 2), Edge("sep_conv_5x5", 4, 5))  # node 4 is not reached
    for genotype in (Genotype(everything, one), Genotype(one, everything)):
        small = PAPER | {"init_channels": 3, "num_cells": 4}
        assert cell_network_cost(genotype, **small) == built_cost(genotype, **small)


def test_a_network_beyond_any_memory_is_counted() -> None:
    cost = cell_network_cost(PUBLISHED["FairDARTS_a"].genotype, init_channels=10**8)
    assert cost.params > 10**18


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_costs_what_is_counted(name: str, stride: int) -> None:
    operation = OPERATIONS[name](4, stride)
    # Counting needs a parameter, which pools and the identity lack.
    counted = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), operation)
    in_size = 8 * stride
    cost = operation_cost(name, 4, stride, 8)
    assert cost.params == count_params(operation)
    assert cost.multadds == count_multadds(counted, (3, in_size, in_size)) - 12 * in_size**2


def test_the_cost_of_an_unknown_operation_is_refused() -> None:
    with pytest.raises(GenotypeError, match="conv_9x9"):
        operation_cost("conv_9x9", 4, 1, 8)


def test_sizes_that_no_network_takes_are_refused_as_by_the_network() -> None:
    genotype = PUBLISHED["FairDARTS_a"].genotype
    for scale in ({"image_size": 34}, {"image_size": 64, "stem": "imagenet"}, {"image_size": 28}):
        with pytest.raises(ConfigError) as by_arithmetic:
            cell_network_cost(genotype, **PAPER | scale)
        with pytest.raises(ConfigError) as by_network:
            built_cost(genotype, **PAPER | scale)
        assert str(by_arithmetic.value) == str(by_network.value)
