"""The weights of a network as a safetensors file, which timm and other programs can load."""

import json

from safetensors.torch import save
from torch import nn

from fairdarts.export.description import TIMM_KEY, Description

AUXILIARY = "auxiliary_head."


def to_safetensors(network: nn.Module, description: Description) -> bytes:
    """The weights by name, without those of the auxiliary head, which is used in training only.

    The metadata are those of the description, and an entry for
    `fairdarts.timm_models.load_exported`.
    """
    metadata = description.metadata() | {TIMM_KEY: json.dumps(description.timm())}
    weights = {
        name: value.contiguous()
        for name, value in network.state_dict().items()
        if not name.startswith(AUXILIARY)
    }
    content: bytes = save(weights, metadata)
    return content
