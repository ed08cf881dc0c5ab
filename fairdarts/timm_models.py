"""The derived networks by name in `timm.create_model`, at the scale of CIFAR-10 (32 x 32).

Imported by `fairdarts` once timm is; see `fairdarts.import_hook`.
"""

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from fairdarts.data.sources import PUBLISHED_STATISTICS
from fairdarts.errors import GenotypeError
from fairdarts.genotype import Genotype
from fairdarts.published import PUBLISHED, PublishedGenotype, published

NAMED = {entry.name.lower(): entry for entry in PUBLISHED.values() if entry.top1_pct is not None}
"""timm's name to published genotype, for those with a published accuracy."""

_DESCRIPTIONS = {name: entry.source for name, entry in NAMED.items()} | {
    "fairdarts": "the network of any genotype of S1"
}
_MEAN, _STD = PUBLISHED_STATISTICS["cifar10"]

default_cfgs = generate_default_cfgs(
    {
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
)
"""timm looks for this name where a model is registered."""


def _build(name: str, pretrained: bool, **settings: Any) -> nn.Module:
    # Not at the top: importing `fairdarts.network` imports timm, and timm this module.
    from fairdarts.timm_network import TimmNetwork

    feature_cfg = {"out_indices": (0, 1, 2), "feature_cls": "getter"}
    model: nn.Module = build_model_with_cfg(
        TimmNetwork, name, pretrained, feature_cfg=feature_cfg, **settings
    )
    return model


@register_model
def fairdarts(
    pretrained: bool = False, genotype: Genotype | str | None = None, **settings: Any
) -> nn.Module:
    """The network of any genotype.

    Args:
        pretrained: Load weights that timm is told the place of; none come with this package.
        genotype: One, or the name of a published one, or the JSON text of one.
        settings: Those of `TimmNetwork`, and what timm gives every model, such as `features_only`.
    Raises:
        GenotypeError: If there is none, or it is not one, or it builds no network.
        ConfigError: If the network would be too shallow.
    """
    if genotype is None:
        raise GenotypeError(
            "fairdarts needs genotype=...: a published name such as 'FairDARTS_b', "
            "a genotype's JSON text, or a Genotype."
        )
    if isinstance(genotype, str):
        is_json = genotype.lstrip().startswith("{")
        genotype = Genotype.from_json(genotype) if is_json else published(genotype).genotype
    return _build("fairdarts", pretrained, genotype=genotype, **settings)


def _register_named(name: str, entry: PublishedGenotype) -> None:
    def build(pretrained: bool = False, **settings: Any) -> nn.Module:
        return _build(name, pretrained, genotype=entry.genotype, **settings)

    build.__name__ = build.__qualname__ = name  # the name timm registers
    build.__doc__ = f"The network of {entry.name}: {entry.source}."
    register_model(build)


for _name, _entry in NAMED.items():
    _register_named(_name, _entry)
