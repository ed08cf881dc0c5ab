import time

import pytest
import torch
from built_cost import built_cost
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fairdarts.errors import ConfigError
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.network.cell_network import DerivedNetwork
from fairdarts.network.cost import NetworkCost, count_multadds, count_params
from fairdarts.spaces import S1

EVERY_OPERATION = tuple(Edge(op, 0, 2) for op in S1.operations)
GENOTYPE = Genotype((*EVERY_OPERATION, Edge("sep_conv_5x5", 2, 4)), EVERY_OPERATION)


def small_cost(auxiliary: bool) -> NetworkCost:
    return built_cost(
        GENOTYPE, init_channels=4, num_cells=5, image_size=32, num_classes=7, auxiliary=auxiliary
    )


def small_network(auxiliary: bool) -> DerivedNetwork:
    return DerivedNetwork(
        GENOTYPE, num_classes=7, init_channels=4, num_cells=5, auxiliary=auxiliary
    )


def test_multadds_of_layers_counted_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2),  # 2 * 9 a value, 8 * 4 * 4 values
        nn.BatchNorm2d(8),
        nn.AvgPool2d(4),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    assert count_multadds(model, (4, 8, 8)) == 18 * 128 + 8 * 5
    assert count_params(model) == (8 * 18 + 8) + 2 * 8 + (8 * 5 + 5)


def test_cost_equals_a_plain_count_on_a_real_network() -> None:
    network = small_network(auxiliary=False).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.randn(1, 3, 32, 32))
    num_params = sum(p.numel() for p in network.parameters())
    assert small_cost(auxiliary=False) == NetworkCost(
        params=num_params, params_with_auxiliary=num_params, multadds=counter.get_total_flops() // 2
    )


def test_auxiliary_head_counts_in_its_own_column_only() -> None:
    head = small_network(auxiliary=True).auxiliary_head
    assert head is not None
    with_head, without = small_cost(auxiliary=True), small_cost(auxiliary=False)
    assert with_head.params == without.params
    assert with_head.multadds == without.multadds
    assert with_head.params_with_auxiliary - with_head.params == count_params(head)


def test_counting_leaves_the_model_as_it_was() -> None:
    network = small_network(auxiliary=True).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    count_multadds(network, (3, 32, 32))
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_cost_draws_no_random_number() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    small_cost(auxiliary=False)
    assert torch.equal(torch.rand(1), expected)


def test_image_the_network_cannot_take_is_refused() -> None:
    with pytest.raises(ConfigError, match="16x16"):
        built_cost(
            GENOTYPE, init_channels=4, num_cells=3, image_size=16, num_classes=7, auxiliary=True
        )


def test_full_size_network_is_counted_in_moments() -> None:
    start = time.process_time()
    built_cost(
        GENOTYPE, init_channels=36, num_cells=20, image_size=32, num_classes=10, auxiliary=True
    )
    assert time.process_time() - start < 2.0  # a fifth of that when the machine is idle
