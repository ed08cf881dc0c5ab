import pytest
import torch
from torch import Tensor, nn

from fairdarts.errors import GenotypeError
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.cost import layer_network_cost
from fairdarts.network.layer_network import LayerNetwork
from fairdarts.operations.layer_blocks import Projection

MIXED = "E3K3+skip E6K5+E3K3 E3K3 E3K5+skip E6K3 skip E6K7 skip E3K3 E3K3+skip E6K7"


def network(text: str = MIXED, **settings: object) -> LayerNetwork:
    torch.manual_seed(0)
    small = {"num_classes": 4, "width": 0.25} | settings
    return LayerNetwork(LayerGenotype.from_text(text), **small)  # type: ignore[arg-type]


def images(size: int = 64) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("choice", "params_m", "multadds_m"), [("E3K3", 3.19, 247), ("E6K7", 5.09, 557)]
)
def test_counts_of_uniform_networks_are_those_of_the_backbone(
    choice: str, params_m: float, multadds_m: float
) -> None:
    cost = layer_network_cost(LayerGenotype.uniform(choice), image_size=224, num_classes=1000)
    assert cost.params / 1e6 == pytest.approx(params_m, abs=0.005)
    assert cost.multadds / 1e6 == pytest.approx(multadds_m, abs=0.5)
    assert cost.params_with_auxiliary == cost.params


def test_a_skip_where_the_shape_stays_is_free_and_a_projection_is_not() -> None:
    def cost(text: str) -> tuple[int, int]:
        counted = layer_network_cost(LayerGenotype.from_text(text), image_size=64, num_classes=4)
        return counted.params, counted.multadds

    uniform = ["E3K3"] * 11
    free = cost(" ".join(["E3K3", "E3K3+skip", *uniform[2:]]))
    projected = cost(" ".join(["E3K3+skip", *uniform[1:]]))
    base = cost(" ".join(uniform))
    assert free == base
    assert projected[0] - base[0] == 16 * 32 + 2 * 32
    assert projected[1] - base[1] == 16 * 32 * 16 * 16


@pytest.mark.parametrize("size", [32, 50, 64])
def test_forward_gives_logits_and_no_auxiliary_ones(size: int) -> None:
    logits, auxiliary = network()(images(size))
    assert logits.shape == (2, 4)
    assert auxiliary is None


def test_two_blocks_are_summed_and_a_skip_is_added() -> None:
    net = network().eval()
    x = torch.randn(2, 8, 16, 16)
    two, residual = net.layers[1], net.layers[3]
    torch.testing.assert_close(two(x, 0.0), two.blocks["E3K3"](x) + two.blocks["E6K5"](x))
    x = torch.randn(2, 16, 8, 8)
    torch.testing.assert_close(residual(x, 0.0), x + residual.blocks["E3K5"](x))


def test_skip_where_the_shape_changes_is_a_projection_and_a_removed_layer_an_identity() -> None:
    net = network()
    assert isinstance(net.layers[0].skip, Projection)
    x = torch.randn(2, 16, 8, 8)
    assert net.layers[5](x, 0.9) is x


def test_nothing_and_a_skip_build_the_same_network() -> None:
    assert list(network(MIXED.replace(" skip ", " none ")).state_dict()) == list(
        network().state_dict()
    )


def test_a_layer_without_a_needed_block_is_refused() -> None:
    with pytest.raises(GenotypeError, match="builds no network: layer 2 changes the shape"):
        network("E3K3 E3K3 skip E3K3 E3K3 E3K3")


def test_drop_path_leaves_out_blocks_beside_a_skip_more_often_with_depth() -> None:
    net = network().train()
    seen: dict[int, float] = {}
    for index, layer in enumerate(net.layers):
        layer.register_forward_pre_hook(lambda _, given, i=index: seen.update({i: given[1]}))
    net(images(), 1 - 1e-9)
    assert seen[0] == 0.0
    assert seen[5] == pytest.approx(0.5)
    assert seen[10] == pytest.approx(1.0)
    x = torch.ones(2, 48, 2, 2)
    torch.testing.assert_close(net.layers[9](x, 1 - 1e-9), x)  # beside a skip: dropped
    assert net.layers[1](torch.randn(2, 8, 4, 4), 1 - 1e-9).any()  # alone: never


def test_drop_path_and_dropout_act_in_training_only() -> None:
    net = network(dropout=0.5).eval()
    torch.testing.assert_close(net(images(), 0.5)[0], network().eval()(images())[0])
    assert not torch.equal(net.train()(images(), 0.5)[0], net(images(), 0.5)[0])


def test_squeeze_and_excitation_and_swish_are_options() -> None:
    net = network(squeeze_excite=True, activation="swish")
    assert not any(isinstance(module, nn.ReLU6) for module in net.modules())
    assert "layers.0.blocks.E3K3.excite.fc1.weight" in net.state_dict()
    assert net(images())[0].isfinite().all()
