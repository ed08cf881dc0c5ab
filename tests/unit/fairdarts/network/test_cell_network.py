import pytest
import torch
from torch import Tensor, nn

from fairdarts.errors import ConfigError, GenotypeError
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.network.cell_network import DerivedCell, DerivedNetwork
from fairdarts.vocabulary import DropPathMode, Stem

CONVS = (Edge("sep_conv_3x3", 0, 2), Edge("sep_conv_3x3", 1, 3))
SKIPS = (Edge("skip_connect", 0, 2), Edge("skip_connect", 1, 3))
POOLS = (Edge("max_pool_3x3", 0, 2), Edge("avg_pool_3x3", 1, 2))


def network(genotype: Genotype, auxiliary: bool = False, stem: Stem = "cifar") -> DerivedNetwork:
    torch.manual_seed(0)
    return DerivedNetwork(
        genotype, num_classes=10, init_channels=4, num_cells=3, auxiliary=auxiliary, stem=stem
    )


def cell_output(
    edges: tuple[Edge, ...],
    mode: DropPathMode,
    drop_path_prob: float,
    kind: str = "normal",
    training: bool = True,
) -> Tensor:
    """Output of one cell with seeded weights on 16 seeded images."""
    torch.manual_seed(0)
    cell = DerivedCell(Genotype(edges, edges), kind, (4, 4), 4, False, mode).train(training)
    older, newer = torch.randn(2, 16, 4, 8, 8)
    output: Tensor = cell(older, newer, drop_path_prob)
    return output


def test_network_classifies() -> None:
    logits, auxiliary_logits = network(Genotype(CONVS, POOLS))(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 10)
    assert auxiliary_logits is None


def test_auxiliary_head_runs_in_training_only() -> None:
    model = network(Genotype(CONVS, CONVS), auxiliary=True)
    images = torch.randn(2, 3, 32, 32)
    _, auxiliary_logits = model(images)
    assert auxiliary_logits is not None
    assert auxiliary_logits.shape == (2, 10)
    assert model.eval()(images)[1] is None


def test_auxiliary_head_takes_larger_images() -> None:
    _, auxiliary_logits = network(Genotype(CONVS, POOLS), True)(torch.randn(2, 3, 64, 48))
    assert auxiliary_logits is not None
    assert auxiliary_logits.shape == (2, 10)


def test_imagenet_stem_halves_the_image_three_times_before_the_cells() -> None:
    model = network(Genotype(CONVS, POOLS), auxiliary=True, stem="imagenet")
    logits, auxiliary_logits = model(torch.randn(2, 3, 224, 224))
    assert auxiliary_logits is not None
    assert logits.shape == auxiliary_logits.shape == (2, 10)
    sizes = [features.shape[-1] for features in model.outputs(torch.randn(2, 3, 224, 224))]
    assert sizes == [28, 14, 7]
    with pytest.raises(ConfigError, match=r"48x48.*divisible by 32.*5 times"):
        model(torch.randn(2, 3, 48, 48))
    with pytest.raises(ConfigError, match=r"192x192.*224x224.*auxiliary_weight to 0"):
        model(torch.randn(2, 3, 192, 192))


def test_image_too_small_for_the_auxiliary_head_is_refused_with_the_remedy() -> None:
    images = torch.randn(2, 3, 16, 16)
    with pytest.raises(ConfigError, match=r"16x16.*32x32.*auxiliary_weight to 0"):
        network(Genotype(CONVS, POOLS), auxiliary=True)(images)
    assert network(Genotype(CONVS, POOLS))(images)[0].shape == (2, 10)


def test_image_that_cannot_be_halved_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"image_size \(=32x30\) must be divisible by 4"):
        network(Genotype(CONVS, POOLS))(torch.randn(2, 3, 32, 30))


def test_isolated_node_is_left_out_of_concat() -> None:
    raw = Genotype((*CONVS, Edge("sep_conv_5x5", 4, 5)), POOLS)
    model = network(raw)
    assert model.genotype == Genotype(CONVS, POOLS)
    assert model(torch.randn(2, 3, 8, 8))[0].shape == (2, 10)
    assert cell_output(CONVS, "node", 0.0).shape == (16, 2 * 4, 8, 8)


def test_genotype_without_live_node_is_refused_with_the_reason() -> None:
    with pytest.raises(GenotypeError, match="reduce cell has no live node"):
        network(Genotype(CONVS, (Edge("skip_connect", 2, 3),)))


def test_channels_double_and_the_image_halves_at_a_reduction() -> None:
    assert cell_output(POOLS, "node", 0.0, kind="reduce").shape == (16, 4, 4, 4)
    model = network(Genotype(CONVS, SKIPS))
    assert [cell.kind for cell in model.cells] == ["normal", "reduce", "reduce"]
    assert model.classifier.in_features == 2 * (2 * 2 * 4)  # live nodes * channels


def test_pooling_has_no_batch_norm() -> None:
    cell = DerivedCell(Genotype(POOLS, POOLS), "normal", (4, 4), 4, False, "node")
    assert not any(isinstance(module, nn.BatchNorm2d) for module in cell.operations.modules())


def test_nodes_are_sums_of_their_inputs() -> None:
    one = cell_output((Edge("skip_connect", 0, 2),), "node", 0.0)
    other = cell_output((Edge("skip_connect", 1, 2),), "node", 0.0)
    both = cell_output((Edge("skip_connect", 0, 2), Edge("skip_connect", 1, 2)), "node", 0.0)
    torch.testing.assert_close(both, one + other)


@pytest.mark.parametrize("mode", ["node", "edge"])
@pytest.mark.parametrize("edges", [CONVS, SKIPS, POOLS])
def test_drop_path_is_the_identity_at_probability_0_and_in_evaluation(
    edges: tuple[Edge, ...], mode: DropPathMode
) -> None:
    other: DropPathMode = "edge" if mode == "node" else "node"
    torch.testing.assert_close(cell_output(edges, mode, 0.0), cell_output(edges, other, 0.0))
    evaluated = cell_output(edges, mode, 0.0, training=False)
    torch.testing.assert_close(cell_output(edges, mode, 0.9, training=False), evaluated)


def test_edge_mode_never_drops_an_identity_skip() -> None:
    torch.testing.assert_close(cell_output(SKIPS, "edge", 0.9), cell_output(SKIPS, "edge", 0.0))


def test_edge_mode_drops_a_skip_that_reduces() -> None:
    dropped = cell_output(SKIPS, "edge", 0.9, kind="reduce")
    assert (dropped.abs().amax(dim=(1, 2, 3)) == 0).any()


@pytest.mark.parametrize(("edges", "mode"), [(SKIPS, "node"), (CONVS, "node"), (CONVS, "edge")])
def test_drop_path_zeroes_a_node_for_some_images_and_scales_it_up_for_the_rest(
    edges: tuple[Edge, ...], mode: DropPathMode
) -> None:
    whole = cell_output(edges, mode, 0.0)[:, :4]
    dropped = cell_output(edges, mode, 0.5)[:, :4]
    is_zero = (dropped == 0).all(dim=3).all(dim=2).all(dim=1)
    assert 0 < is_zero.sum() < len(is_zero)
    torch.testing.assert_close(dropped[~is_zero], 2 * whole[~is_zero])


def test_probability_given_to_the_network_reaches_its_cells() -> None:
    model = network(Genotype(SKIPS, SKIPS))
    images = torch.randn(4, 3, 8, 8)
    whole = model(images)[0]
    torch.testing.assert_close(model(images)[0], whole)
    assert not torch.allclose(model(images, 0.5)[0], whole)
