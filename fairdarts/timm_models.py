"""The derived networks by name in `timm.create_model`: S1 for CIFAR-10 (32 x 32), S2 for ImageNet.

Importing this module registers them: `import fairdarts.timm_models`.
"""

import json
from pathlib import Path
from typing import Any

import timm
from safetensors import SafetensorError, safe_open
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import PretrainedCfg, build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from fairdarts.data.sources import PUBLISHED_STATISTICS
from fairdarts.errors import ExportError, GenotypeError
from fairdarts.export.description import TIMM_KEY
from fairdarts.export.timm_cell_network import TimmNetwork
from fairdarts.export.timm_layer_network import TimmLayerNetwork
from fairdarts.genotype.any_genotype import find_genotype
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.genotype.published import PUBLISHED, PublishedGenotype

NAMED = {entry.name.lower(): entry for entry in PUBLISHED.values() if entry.top1_pct is not None}
"""Maps timm's name to the published genotype, for those with a published accuracy."""

_DESCRIPTIONS = {name: entry.source for name, entry in NAMED.items()} | {
    "fairdarts": "the network of any genotype of S1"
}
_MEAN, _STD = PUBLISHED_STATISTICS["cifar10"]
_CFGS: dict[str, dict[str, Any] | PretrainedCfg] = {
    name: {
        "input_size": (3, 32, 32),
        "pool_size": (8, 8),
        "crop_pct": 1.0,
        "mean": _MEAN,
        "std": _STD,
        "num_classes": 10,
        "first_conv": "stem.0",
        "classifier": "classifier",
        "description": description,
    }
    for name, description in _DESCRIPTIONS.items()
}
_CFGS["fairdarts_s2"] = {
    "input_size": (3, 224, 224),
    "pool_size": (7, 7),
    "crop_pct": 0.875,
    "mean": IMAGENET_DEFAULT_MEAN,
    "std": IMAGENET_DEFAULT_STD,
    "num_classes": 1000,
    "first_conv": "stem.0.conv",
    "classifier": "classifier",
    "description": "the network of any genotype of S2",
}

default_cfgs = generate_default_cfgs(_CFGS)
"""timm looks for this name in the module that registers a model."""


def _build(name: str, pretrained: bool, **settings: Any) -> nn.Module:
    return _built(TimmNetwork, name, pretrained, 3, settings)


def _built(
    network: type[nn.Module], name: str, pretrained: bool, num_sizes: int, settings: dict[str, Any]
) -> nn.Module:
    feature_cfg = {"out_indices": tuple(range(num_sizes)), "feature_cls": "getter"}
    model: nn.Module = build_model_with_cfg(
        network, name, pretrained, feature_cfg=feature_cfg, **settings
    )
    return model


@register_model
def fairdarts(
    pretrained: bool = False, genotype: Genotype | str | None = None, **settings: Any
) -> nn.Module:
    """The network of any genotype.

    Args:
        pretrained: Load weights from the place that timm is told; this package has none.
        genotype: A `Genotype`, the name of a published one, or text: JSON, or as DARTS prints it.
        settings: Those of `TimmNetwork`, and those of every timm model, such as `features_only`.
    Raises:
        GenotypeError: If there is no genotype, or not one of S1, or it builds no network.
        ConfigError: If the network would have fewer than 3 cells.
    """
    found = find_genotype(genotype) if isinstance(genotype, str) else genotype
    if not isinstance(found, Genotype):
        raise GenotypeError(
            "fairdarts needs genotype=...: a published name such as 'FairDARTS_b', "
            "a genotype of S1 as text, or a Genotype."
        )
    return _build("fairdarts", pretrained, genotype=found, **settings)


@register_model
def fairdarts_s2(
    pretrained: bool = False, arch: LayerGenotype | str | None = None, **settings: Any
) -> nn.Module:
    """The network of any genotype of S2.

    Args:
        pretrained: Load weights from the place that timm is told; this package has none.
        arch: A `LayerGenotype`, a word for each layer (`E3K3 E6K5+skip ...`), or JSON text.
        settings: Those of `TimmLayerNetwork`, and those of every timm model.
    Raises:
        GenotypeError: If there is no genotype, or not one of S2, or it builds no network.
    """
    found = find_genotype(arch) if isinstance(arch, str) else arch
    if not isinstance(found, LayerGenotype):
        raise GenotypeError(
            "fairdarts_s2 needs arch=...: a word for each of the 19 layers such as "
            "'E3K3 E6K5+skip ...', a genotype's JSON text, or a LayerGenotype."
        )
    return _built(TimmLayerNetwork, "fairdarts_s2", pretrained, 5, settings | {"genotype": found})


def _register_named(name: str, entry: PublishedGenotype) -> None:
    def build(pretrained: bool = False, **settings: Any) -> nn.Module:
        return _build(name, pretrained, genotype=entry.genotype, **settings)

    build.__name__ = build.__qualname__ = name  # timm registers this name
    build.__doc__ = f"The network of {entry.name}: {entry.source}."
    register_model(build)


for _name, _entry in NAMED.items():
    _register_named(_name, _entry)


def load_exported(path: Path | str, **settings: Any) -> nn.Module:
    """The network in a file that `fairdarts arch export TRIAL -o FILE.safetensors` wrote.

    Its `pretrained_cfg` says how to prepare an image: `timm.data.create_transform(
    **resolve_data_config(model=network))` prepares it as the test images were prepared.

    Args:
        path: The file.
        settings: Those of every timm model, such as `features_only`, or `num_classes` for a new
            classifier for another data set.
    Returns:
        The network, in evaluation mode.
    Raises:
        ExportError: If the file is not such a file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ExportError(f"{path} is not a safetensors file ({error}).") from None
    if TIMM_KEY not in metadata:
        raise ExportError(f"{path} was not written by `fairdarts arch export` of this version.")
    described = json.loads(metadata[TIMM_KEY])
    model: nn.Module = timm.create_model(
        described["architecture"],
        pretrained=True,
        pretrained_cfg_overlay=described["pretrained_cfg"] | {"file": str(path)},
        **described["model_args"] | settings,
    )
    return model.eval()
