"""Every registered network behaves as timm's own tests want of its own models."""

import subprocess
import sys
from typing import Any

import pytest
import timm
import torch
from built_cost import built_cost
from timm.models import group_parameters
from torch import Tensor, nn

from fairdarts.errors import ConfigError, GenotypeError
from fairdarts.export.timm_cell_network import TimmNetwork
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.genotype.published import published
from fairdarts.network.cell_network import DerivedNetwork
from fairdarts.network.cost import count_params
from fairdarts.timm_models import NAMED

ANY_GENOTYPE = "random_m2_0"
SMALL = {"init_channels": 4, "num_cells": 5}
every_name = pytest.mark.parametrize("name", [*NAMED, "fairdarts"])


def create(name: str = "fairdarts_b", **settings: Any) -> TimmNetwork:
    """A small network with seeded weights, in evaluation mode."""
    if name == "fairdarts":
        settings.setdefault("genotype", ANY_GENOTYPE)
    torch.manual_seed(0)
    model: TimmNetwork = timm.create_model(name, **(SMALL | settings)).eval()
    return model


def images(channels: int = 3, size: int = 32) -> Tensor:
    return torch.randn(2, channels, size, size, generator=torch.Generator().manual_seed(0))


def run(program: str) -> str:
    """What a Python of its own prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@every_name
def test_forward_gives_logits_for_the_classes_of_cifar_10(name: str) -> None:
    logits = create(name)(images())
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()


@every_name
def test_backward_reaches_every_parameter(name: str) -> None:
    model = create(name, num_classes=42).train()
    logits = model(images())
    assert logits.shape == (2, 42)
    logits.mean().backward()
    assert [n for n, parameter in model.named_parameters() if parameter.grad is None] == []


@every_name
def test_default_cfg_describes_the_network(name: str) -> None:
    model = create(name)
    cfg = model.default_cfg
    assert cfg is model.pretrained_cfg
    assert cfg["architecture"] == name
    assert (cfg["input_size"], cfg["num_classes"]) == ((3, 32, 32), 10)
    assert {f"{cfg['first_conv']}.weight", f"{cfg['classifier']}.weight"} <= set(model.state_dict())
    features = model.forward_features(images())
    assert features.shape == (2, model.num_features, *cfg["pool_size"])
    model.reset_classifier(0)
    assert model(images()).shape == (2, model.num_features)
    model.reset_classifier(0, "")
    torch.testing.assert_close(model(images()), features)


@every_name
def test_features_have_the_channels_and_sizes_that_feature_info_states(name: str) -> None:
    model = create(name, features_only=True)
    assert model.feature_info.reduction() == [1, 2, 4]
    shapes = [
        (2, channels, 32 // reduction, 32 // reduction)
        for channels, reduction in zip(
            model.feature_info.channels(), model.feature_info.reduction(), strict=True
        )
    ]
    assert [output.shape for output in model(images())] == shapes


@every_name
def test_default_scale_is_that_of_the_published_counts(name: str) -> None:
    genotype = published(NAMED[name].name if name in NAMED else ANY_GENOTYPE).genotype
    model = create(name, init_channels=None, num_cells=None)
    cost = built_cost(
        genotype, init_channels=36, num_cells=20, image_size=32, num_classes=10, auxiliary=False
    )
    assert count_params(model) == cost.params
    if name == "fairdarts_b":  # the one that the published tables check to the last digit
        assert cost.params == 3_407_878


def test_timm_lists_the_networks() -> None:
    fairdarts = [f"fairdarts_{letter}" for letter in "abcdefg"]
    assert timm.list_models("fairdarts*") == ["fairdarts", *fairdarts, "fairdarts_s2"]
    assert set(NAMED) <= set(timm.list_models(module="timm_models"))


def test_importing_fairdarts_imports_nothing_else_and_leaves_importing_as_it_is() -> None:
    program = (
        "import sys; finders = list(sys.meta_path); import fairdarts; import timm;"
        "print(finders == sys.meta_path, 'fairdarts.timm_models' in sys.modules)"
    )
    assert run(program) == "True False"
    assert run("import fairdarts, sys; print({'timm', 'torch'} & sys.modules.keys())") == "set()"


@pytest.mark.parametrize("modules", ["timm, fairdarts.timm_models", "fairdarts.timm_models, timm"])
def test_importing_the_module_registers_the_networks(modules: str) -> None:
    assert run(f"import {modules}; print(timm.is_model('fairdarts_b'))") == "True"


@pytest.mark.parametrize("as_given", ["name", "json", "object"])
def test_any_genotype_is_taken_by_name_as_json_and_as_it_is(as_given: str) -> None:
    genotype = published("FairDARTS_b").genotype
    given = {"name": "FairDARTS_b", "json": genotype.to_json(), "object": genotype}[as_given]
    model = create("fairdarts", genotype=given)
    torch.testing.assert_close(model(images()), create("fairdarts_b")(images()))


def test_fairdarts_without_a_genotype_says_what_to_give() -> None:
    with pytest.raises(GenotypeError, match=r"needs genotype=.*'FairDARTS_b'"):
        timm.create_model("fairdarts")


def test_genotype_that_is_none_is_refused() -> None:
    with pytest.raises(GenotypeError, match="closest: FairDARTS_a"):
        create("fairdarts", genotype="fairdarts_a")
    with pytest.raises(GenotypeError, match="must be JSON text"):
        create("fairdarts", genotype="{")
    with pytest.raises(GenotypeError, match="builds no network"):
        create("fairdarts", genotype=Genotype((), ()))


def test_network_too_shallow_for_two_reductions_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"num_cells \(=2\) must be at least 3"):
        create(num_cells=2)
    assert create(num_cells=3)(images()).shape == (2, 10)


def test_pretrained_weights_are_refused_as_there_are_none() -> None:
    with pytest.raises(RuntimeError, match="No pretrained weights"):
        create(pretrained=True)


def test_weights_of_a_retrained_network_load_and_give_the_same_logits() -> None:
    trained = DerivedNetwork(
        published("FairDARTS_b").genotype, num_classes=10, auxiliary=False, **SMALL
    ).eval()
    model = create()
    model.load_state_dict(trained.state_dict())
    torch.testing.assert_close(model(images()), trained(images())[0])


def test_head_is_pooling_and_classifier_of_the_features() -> None:
    model = create()
    features = model.forward_features(images())
    pooled = model.forward_head(features, pre_logits=True)
    torch.testing.assert_close(pooled, features.mean(dim=(2, 3)))
    torch.testing.assert_close(model.forward_head(features), model.get_classifier()(pooled))
    torch.testing.assert_close(model(images()), model.forward_head(features))


def test_reset_classifier_replaces_it_and_keeps_dtype_mode_and_pooling() -> None:
    model = create(global_pool="max").double().train()
    model.reset_classifier(7)
    assert model.num_classes == 7
    classifier = model.get_classifier()
    assert isinstance(classifier, nn.Linear)
    assert classifier.training
    assert model(images().double()).shape == (2, 7)
    pooled = model.eval().forward_head(features := model.forward_features(images().double()), True)
    torch.testing.assert_close(pooled, features.amax(dim=(2, 3)))


def test_network_without_classes_has_no_classifier() -> None:
    model = create(num_classes=0)
    assert isinstance(model.get_classifier(), nn.Identity)
    assert model(images()).shape == (2, model.num_features)


def test_pooling_that_doubles_the_features_widens_the_head() -> None:
    model = create(global_pool="catavgmax")
    assert model.head_hidden_size == 2 * model.num_features
    assert model(images()).shape == (2, 10)
    model.reset_classifier(5, "avg")
    assert model.head_hidden_size == model.num_features
    assert model(images()).shape == (2, 5)


def test_images_may_have_one_channel_and_another_size() -> None:
    assert create(in_chans=1)(images(channels=1, size=48)).shape == (2, 10)


def test_dropout_acts_in_training_only() -> None:
    model = create(drop_rate=1.0)
    features = model.forward_features(images())
    assert model.forward_head(features, pre_logits=True).any()
    assert not model.train().forward_head(features, pre_logits=True).any()


def test_drop_path_acts_in_training_only() -> None:
    whole, dropping = create(), create(drop_path_rate=0.5)
    torch.testing.assert_close(dropping(images()), whole(images()))
    assert not torch.allclose(dropping.train()(images()), whole.train()(images()))


def test_intermediates_end_in_the_features() -> None:
    model = create()
    features, intermediates = model.forward_intermediates(images())
    assert len(intermediates) == len(model.feature_info) == 3
    torch.testing.assert_close(features, model.forward_features(images()))
    torch.testing.assert_close(features, intermediates[-1])


def test_stopping_early_ends_at_the_last_intermediate_asked_for() -> None:
    features, (intermediate,) = create().forward_intermediates(
        images(), indices=[1], stop_early=True
    )
    assert features is intermediate
    assert features.shape[2:] == (16, 16)


@pytest.mark.parametrize(
    ("out_indices", "reductions"), [((1,), [2]), ((0, -1), [1, 4]), (2, [2, 4])]
)
def test_out_indices_choose_the_features(out_indices: Any, reductions: list[int]) -> None:
    extractor = create(features_only=True, out_indices=out_indices)
    assert extractor.feature_info.reduction() == reductions
    every = create(features_only=True)(images())
    expected = [feature for feature in every if 32 // feature.shape[-1] in reductions]
    torch.testing.assert_close(extractor(images()), expected)


def test_out_index_beyond_the_sizes_is_refused() -> None:
    with pytest.raises(IndexError):
        create(features_only=True, out_indices=(3,))


def test_feature_extractor_holds_no_layer_that_it_does_not_use() -> None:
    extractor = create(features_only=True, out_indices=(0, 1)).train()
    extractor(images())[-1].mean().backward()
    assert all(parameter.grad is not None for parameter in extractor.parameters())


def test_features_are_those_that_hooks_on_the_named_modules_see() -> None:
    hooked = create(features_only=True, feature_cls="hook")
    torch.testing.assert_close(hooked(images()), create(features_only=True)(images()))


@pytest.mark.parametrize("drop_path_rate", [0.0, 0.5])
def test_checkpointing_changes_neither_gradients_nor_statistics(drop_path_rate: float) -> None:
    states = []
    for enable in (False, True):
        model = create(drop_path_rate=drop_path_rate).train()
        model.set_grad_checkpointing(enable)
        model(images()).square().mean().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        statistics = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        states.append((gradients, statistics))
    torch.testing.assert_close(states[1], states[0], rtol=0, atol=0)


def test_parameters_group_by_cell_between_the_stem_and_the_head() -> None:
    model = create()
    groups = group_parameters(model, model.group_matcher())
    assert len(groups) == 1 + SMALL["num_cells"] + 1
    assert groups[0] == [name for name, _ in model.named_parameters() if name.startswith("stem")]
    assert list(groups.values())[-1] == ["classifier.weight", "classifier.bias"]


def test_network_can_be_exported() -> None:
    model = create()
    exported = torch.export.export(model, (images(),)).module()
    torch.testing.assert_close(exported(images()), model(images()))
