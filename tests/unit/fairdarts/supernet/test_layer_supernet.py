import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.config import SearchConfig
from fairdarts.errors import ConfigError
from fairdarts.operations.layer_blocks import InvertedBottleneck, Projection, scaled
from fairdarts.search.state import build_supernet
from fairdarts.spaces import BLOCKS, S2, S2_IDENTITY_SKIP
from fairdarts.supernet.base import flat
from fairdarts.supernet.layer_supernet import LayerSupernet
from fairdarts.supernet.perturbation import PERTURBATION_CLASSES

SHAPE_CHANGING = [0, 2, 6, 10, 14, 18]


def random(*shape: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=draw)


def supernet(space: str = "s2", **changes: object) -> LayerSupernet:
    small = {"space": space, "width": 0.25, "num_layers": 6, "alpha_init_std": 1.0}
    torch.manual_seed(0)
    built = build_supernet(SearchConfig.build(small | changes), num_classes=5).double()
    assert isinstance(built, LayerSupernet)
    return built


def test_s2_has_19_layers_of_7_choices() -> None:
    assert S2.choices(19) == ((*BLOCKS, "skip"),) * 19
    assert [i for i, layer in enumerate(S2.layers(19)) if layer.changes_shape] == SHAPE_CHANGING
    strides = [layer.stride for layer in S2.layers(19)]
    assert [i for i, stride in enumerate(strides) if stride == 2] == [0, 2, 6, 14]


def test_identity_skips_leave_the_six_layers_that_change_the_shape_without_one() -> None:
    choices = S2_IDENTITY_SKIP.choices(19)
    assert [i for i, names in enumerate(choices) if "skip" not in names] == SHAPE_CHANGING
    assert sum(map(len, choices)) == 127


@pytest.mark.parametrize("space", [S2, S2_IDENTITY_SKIP], ids=lambda space: space.name)
def test_proxies_keep_every_stage(space: object) -> None:
    assert S2.depths == (6, 11, 15, 19)
    for depth in S2.depths:
        assert [layer.out_channels for layer in S2.layers(depth) if layer.changes_shape] == [
            *(32, 40, 80, 96, 192, 320)
        ]
    with pytest.raises(ConfigError, match=r"num_layers \(=7\) must be one of 6, 11, 15, 19"):
        S2.layers(7)


@pytest.mark.parametrize("space", [S2, S2_IDENTITY_SKIP], ids=lambda space: space.name)
@pytest.mark.parametrize("depth", S2.depths)
def test_flat_values_split_into_the_layers_they_came_from(space: object, depth: int) -> None:
    assert isinstance(space, type(S2))
    sizes = [len(names) for names in space.choices(depth)]
    rows = space.by_layer([float(number) for number in range(sum(sizes))])
    assert [len(row) for row in rows] == sizes
    assert [value for row in rows for value in row] == list(range(sum(sizes)))
    with pytest.raises(ConfigError, match="do not fit the layers of s2"):
        space.by_layer([0.5] * (sum(sizes) + 1))


@pytest.mark.parametrize(("space", "num_gates"), [("s2", 133), ("s2_identity_skip", 127)])
def test_full_supernet_has_as_many_gates_as_choices_and_the_paper_s_start(
    space: str, num_gates: int
) -> None:
    with torch.device("meta"):
        meta = build_supernet(SearchConfig(space=space, width=0.25), 10)
    assert sum(alpha.numel() for alpha in meta.architecture_parameters()) == num_gates
    small = supernet(space, alpha_init_std=0.0)
    assert set(flat(small.gates()).tolist()) == {0.5}


def test_softmax_gates_share_each_layer() -> None:
    gates = supernet("s2_identity_skip", relaxation="softmax", num_layers=11).gates()
    assert [len(gate) for gate in gates.values()] == [6, 7] * 5 + [6]
    for gate in gates.values():
        assert gate.sum().item() == pytest.approx(1.0)


def test_alphas_of_all_layers_stand_in_order() -> None:
    net = supernet(num_layers=11)
    assert list(net.alphas) == [f"layer_{index}" for index in range(11)]
    assert flat(net.gates()).shape == (77,)


def test_every_parameter_is_either_an_alpha_or_a_weight() -> None:
    net = supernet()
    alphas = {id(alpha) for alpha in net.architecture_parameters()}
    weights = {id(weight) for weight in net.weight_parameters()}
    assert not alphas & weights
    assert alphas | weights == {id(parameter) for parameter in net.parameters()}


@pytest.mark.parametrize("size", [32, 33, 48, 64])
def test_small_images_of_any_size_pass(size: int) -> None:
    net = supernet().train()
    assert net(random(2, 3, size, size), net.gates()).shape == (2, 5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [8, 9])
def test_projection_is_a_strided_convolution_and_batch_norm(stride: int, size: int) -> None:
    torch.manual_seed(0)
    module, x = Projection(16, 24, stride).double(), random(2, 16, size, size)
    expected = F.conv2d(x, module.conv.weight, stride=stride)
    expected = F.batch_norm(expected, None, None, training=True)
    torch.testing.assert_close(module(x), expected)


def test_squeeze_and_excitation_narrows_to_a_quarter_of_the_input() -> None:
    plain, excited = (InvertedBottleneck(16, 24, 1, 6, 3, excites) for excites in (False, True))
    count = [sum(p.numel() for p in block.parameters()) for block in (plain, excited)]
    assert count[1] - count[0] == 96 * 4 + 4 + 4 * 96 + 96


def test_activation_is_chosen_by_name() -> None:
    block = InvertedBottleneck(8, 8, 1, 3, 3, activation="swish")
    assert sum(type(module).__name__ in ("SwishMe", "SiLU", "Swish") for module in block.modules())
    assert not any(isinstance(module, nn.ReLU6) for module in block.modules())


def test_widths_give_multiples_of_8() -> None:
    assert [scaled(channels, 0.25) for channels in (16, 32, 40, 96)] == [8, 8, 16, 24]
    assert [scaled(channels, 1.0) for channels in (16, 32, 40, 80, 96, 192, 320)] == [
        *(16, 32, 40, 80, 96, 192, 320)
    ]


def test_perturbations_of_skips_touch_identities_only() -> None:
    net = supernet(num_layers=11)
    identities = [i for i, layer in enumerate(S2.layers(11)) if not layer.changes_shape]
    for name in ("skip_noise", "skip_dropout"):
        perturbation = PERTURBATION_CLASSES[name](0.5, 0.0, torch.Generator())
        touched = [
            (index, choice)
            for index, layer in enumerate(net.layers)
            for choice, gated in zip(S2.choices(11)[index], layer, strict=True)
            if perturbation.touches(gated.name, gated.stride)
        ]
        assert touched == [(index, "skip") for index in identities]


@pytest.mark.parametrize("name", PERTURBATION_CLASSES)
def test_every_perturbation_changes_the_logits_and_draws_them_again(name: str) -> None:
    net, images = supernet(num_layers=11), random(2, 3, 32, 32)

    def logits(seed: int) -> Tensor:
        chance = torch.Generator().manual_seed(seed)
        perturbation = PERTURBATION_CLASSES[name](0.5, 0.25, chance)
        return net(images, net.gates(perturbation), perturbation)

    assert torch.equal(logits(1), logits(1))
    assert not torch.allclose(logits(1), logits(2))
