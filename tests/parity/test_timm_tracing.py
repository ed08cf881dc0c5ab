"""The registered networks can be traced symbolically, and scripted once they are."""

from typing import Any

import pytest
import timm
import torch
from torch import Tensor, fx, nn
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

import fairdarts.timm_models  # noqa: F401 - registers the networks with timm

NETWORKS: dict[str, dict[str, Any]] = {
    "fairdarts_b": {"init_channels": 4, "num_cells": 5},
    "fairdarts_d": {"init_channels": 4, "num_cells": 5, "drop_path_mode": "edge"},
    "fairdarts_s2": {"arch": " ".join(["E3K3+skip", "E6K5+E3K3"] * 3), "width": 0.25},
}
every_network = pytest.mark.parametrize("name", NETWORKS)


def create(name: str, **settings: Any) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = timm.create_model(name, num_classes=7, **(NETWORKS[name] | settings))
    return model.eval()


def images(size: int = 32) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


@every_network
def test_a_traced_network_computes_the_same(name: str) -> None:
    model = create(name)
    traced = fx.symbolic_trace(model)
    for size in (32, 64):
        torch.testing.assert_close(traced(images(size)), model(images(size)), rtol=0, atol=0)


@every_network
def test_a_traced_network_trains_the_same_and_draws_anew(name: str) -> None:
    traced = fx.symbolic_trace(create(name, drop_path_rate=0.9).train())
    first, second = traced(images()), traced(images())
    assert not torch.equal(first, second)
    second.mean().backward()
    assert all(parameter.grad is not None for parameter in traced.parameters())


@every_network
def test_a_traced_network_can_be_scripted(name: str) -> None:
    model = create(name)
    _, nodes = get_graph_node_names(model)
    extractor = create_feature_extractor(model, {nodes[-1]: "logits"}).eval()
    scripted = torch.jit.script(extractor)
    torch.testing.assert_close(scripted(images())["logits"], model(images()))


def test_a_traced_network_still_refuses_images_that_it_cannot_halve() -> None:
    traced = fx.symbolic_trace(create("fairdarts_b"))
    with pytest.raises(Exception, match="must be divisible by 4"):
        traced(images(30))
