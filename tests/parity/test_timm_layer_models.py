"""`fairdarts_s2` behaves as timm's own tests want of its own models."""

from typing import Any

import pytest
import timm
import torch
from timm.models import group_parameters
from torch import Tensor, nn

import fairdarts.timm_models  # noqa: F401 - registers the networks with timm
from fairdarts.errors import GenotypeError
from fairdarts.export.timm_layer_network import TimmLayerNetwork
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.cost import count_params, layer_network_cost
from fairdarts.network.layer_network import LayerNetwork

ARCH = "E3K3+skip E6K5+E3K3 E3K3 E3K5+skip E6K3 skip E6K7 skip E3K3 E3K3+skip E6K7"
SMALL = {"width": 0.25}


def create(**settings: Any) -> TimmLayerNetwork:
    """A small network with seeded weights, in evaluation mode."""
    torch.manual_seed(0)
    model: TimmLayerNetwork = timm.create_model(
        "fairdarts_s2", **({"arch": ARCH} | SMALL | settings)
    ).eval()
    return model


def images(size: int = 64) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_forward_gives_logits_for_the_classes_of_imagenet_and_backward_reaches_all() -> None:
    model = create().train()
    logits = model(images())
    assert logits.shape == (2, 1000)
    logits.mean().backward()
    assert [n for n, parameter in model.named_parameters() if parameter.grad is None] == []


def test_default_cfg_describes_the_network() -> None:
    model = create()
    cfg = model.default_cfg
    assert (cfg["architecture"], cfg["input_size"]) == ("fairdarts_s2", (3, 224, 224))
    assert cfg["num_classes"] == 1000
    assert {f"{cfg['first_conv']}.weight", f"{cfg['classifier']}.weight"} <= set(model.state_dict())
    features = model.forward_features(images(224))
    assert features.shape == (2, model.num_features, *cfg["pool_size"])
    model.reset_classifier(0)
    assert model(images()).shape == (2, model.num_features)
    model.reset_classifier(0, "")
    torch.testing.assert_close(model(images()), model.forward_features(images()))


def test_features_have_the_channels_and_sizes_that_feature_info_states() -> None:
    model = create(features_only=True)
    assert model.feature_info.reduction() == [2, 4, 8, 16, 32]
    assert [output.shape for output in model(images())] == [
        (2, channels, 64 // reduction, 64 // reduction)
        for channels, reduction in zip(
            model.feature_info.channels(), model.feature_info.reduction(), strict=True
        )
    ]


def test_features_of_the_full_width_are_those_of_the_backbone() -> None:
    model = create(features_only=True, width=1.0)
    assert model.feature_info.channels() == [16, 32, 40, 96, 320]


def test_features_are_those_that_hooks_on_the_named_modules_see() -> None:
    hooked = create(features_only=True, feature_cls="hook")
    torch.testing.assert_close(hooked(images()), create(features_only=True)(images()))


@pytest.mark.parametrize(
    ("out_indices", "reductions"), [((1,), [4]), ((0, -1), [2, 32]), (2, [16, 32]), ((0,), [2])]
)
def test_out_indices_choose_the_features_and_drop_what_they_do_not_use(
    out_indices: Any, reductions: list[int]
) -> None:
    extractor = create(features_only=True, out_indices=out_indices).train()
    assert extractor.feature_info.reduction() == reductions
    outputs = extractor(images())
    assert [64 // output.shape[-1] for output in outputs] == reductions
    outputs[-1].mean().backward()
    assert all(parameter.grad is not None for parameter in extractor.parameters())


def test_intermediates_come_with_the_features_that_the_head_takes() -> None:
    model = create()
    features, intermediates = model.forward_intermediates(images())
    torch.testing.assert_close(features, model.forward_features(images()))
    torch.testing.assert_close(model.head(intermediates[-1]), features)
    torch.testing.assert_close(model.forward_head(features), model(images()))
    features, (intermediate,) = model.forward_intermediates(images(), [1], stop_early=True)
    assert features is intermediate


def test_default_scale_is_that_of_the_counts() -> None:
    genotype = LayerGenotype.uniform("E3K3")
    cost = layer_network_cost(genotype, image_size=224, num_classes=1000)
    assert count_params(timm.create_model("fairdarts_s2", arch=genotype)) == cost.params


@pytest.mark.parametrize("as_given", ["text", "json", "object"])
def test_a_genotype_is_taken_as_text_as_json_and_as_it_is(as_given: str) -> None:
    genotype = LayerGenotype.from_text(ARCH)
    given = {"text": ARCH, "json": genotype.to_json(), "object": genotype}[as_given]
    torch.testing.assert_close(create(arch=given)(images()), create()(images()))


@pytest.mark.parametrize(
    ("arch", "fault"),
    [
        (None, "needs arch=.*E3K3 E6K5"),
        ("E3K3 E3K3", "one of 6, 11, 15, 19 layers"),
        ('{"layers": 3}', "layers"),
        (" ".join(["skip"] * 6), "builds no network: layer 0"),
    ],
)
def test_a_genotype_that_is_none_is_refused(arch: str | None, fault: str) -> None:
    with pytest.raises(GenotypeError, match=fault):
        create(arch=arch)


def test_weights_of_a_retrained_network_load_and_give_the_same_logits() -> None:
    trained = LayerNetwork(LayerGenotype.from_text(ARCH), num_classes=10, width=0.25).eval()
    model = create(num_classes=10)
    model.load_state_dict(trained.state_dict())
    torch.testing.assert_close(model(images()), trained(images())[0])


def test_reset_classifier_keeps_dtype_mode_and_pooling() -> None:
    model = create(global_pool="max").double().train()
    model.reset_classifier(7)
    classifier = model.get_classifier()
    assert isinstance(classifier, nn.Linear)
    assert classifier.training
    assert model(images().double()).shape == (2, 7)


def test_settings_of_timm_reach_the_network() -> None:
    model = create(
        squeeze_excite=True, act_layer="swish", in_chans=1, drop_rate=0.2, drop_path_rate=0.2
    )
    assert "layers.0.blocks.E3K3.excite.fc1.weight" in model.state_dict()
    assert model(images()[:, :1]).shape == (2, 1000)
    assert not torch.equal(model.train()(images()[:, :1]), model(images()[:, :1]))


def test_checkpointing_changes_neither_gradients_nor_statistics() -> None:
    states = []
    for enable in (False, True):
        model = create(drop_path_rate=0.5).train()
        model.set_grad_checkpointing(enable)
        model(images()).square().mean().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        states.append((gradients, statistics))
    torch.testing.assert_close(states[1], states[0], rtol=0, atol=0)


def test_parameters_group_by_layer_between_the_stem_and_the_head() -> None:
    model = create()
    groups = group_parameters(model, model.group_matcher())
    assert len(groups) == 1 + 9 + 1  # two of eleven layers are removed
    assert groups[0] == [name for name, _ in model.named_parameters() if name.startswith("stem")]
    assert list(groups.values())[-1] == ["classifier.weight", "classifier.bias"]


def test_network_can_be_exported() -> None:
    model = create()
    exported = torch.export.export(model, (images(),)).module()
    torch.testing.assert_close(exported(images()), model(images()))
