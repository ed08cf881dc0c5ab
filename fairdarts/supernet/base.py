"""What the supernets of all spaces have in common: groups of alphas, and their gates.

A group is one tensor of alphas: that of a cell kind (E, O) in S1, of a layer (O,) in S2. The
candidates along its last axis compete where the relaxation is softmax.
"""

from collections.abc import Mapping
from typing import assert_never

import torch
from torch import Tensor, nn

from fairdarts.config import SearchConfig
from fairdarts.seeding import generator
from fairdarts.spaces import Space
from fairdarts.supernet.perturbation import Perturbation
from fairdarts.training.precision import autocast

Gates = Mapping[str, Tensor]
"""Name of a group to its gates, which have the shape of its alphas."""


class Supernet(nn.Module):
    """A network that holds every candidate; subclasses build them and compute `logits`."""

    def __init__(
        self, config: SearchConfig, space: Space, groups: Mapping[str, tuple[int, ...]]
    ) -> None:
        """Draw the alphas, which depend on the seed alone.

        Args:
            config: Of the search.
            space: That of the configuration.
            groups: Name and shape of each group of alphas.
        """
        super().__init__()
        self.space = space
        self.relaxation = config.relaxation
        self.precision = config.precision
        self.recompute = config.recompute
        draw = generator("cpu", config.seed, "alphas")
        self.alphas = nn.ParameterDict()
        # One by one: a ParameterDict made from a dictionary sorts its names.
        for name, shape in groups.items():
            alphas = config.alpha_init_std * torch.randn(shape, generator=draw)
            self.alphas[name] = nn.Parameter(alphas)

    def gates(self, perturbation: Perturbation | None = None) -> dict[str, Tensor]:
        """The factor of each operation.

        `sigmoid` gates are independent (Eq. 6), `softmax` ones share each edge or layer (Eq. 2, 5).
        """
        alphas: dict[str, Tensor] = dict(self.alphas.items())
        if perturbation is not None:
            alphas = {name: perturbation.on_alphas(alpha) for name, alpha in alphas.items()}
        match self.relaxation:
            case "sigmoid":
                return {name: alpha.sigmoid() for name, alpha in alphas.items()}
            case "softmax":
                return {name: alpha.softmax(dim=-1) for name, alpha in alphas.items()}
            case _:
                assert_never(self.relaxation)

    def forward(
        self, images: Tensor, gates: Gates, perturbation: Perturbation | None = None
    ) -> Tensor:
        """Images (B, 3, H, W) and the gates of all groups to logits (B, classes)."""
        with autocast(images.device, self.precision):
            logits = self.logits(images, gates, perturbation)
        return logits.to(images.dtype)

    def logits(self, images: Tensor, gates: Gates, perturbation: Perturbation | None) -> Tensor:
        """The work of `forward`, in the precision of the search."""
        raise NotImplementedError

    def architecture_parameters(self) -> list[nn.Parameter]:
        """The alphas of all groups."""
        return list(self.alphas.values())

    def weight_parameters(self) -> list[nn.Parameter]:
        """Every parameter that is not an alpha."""
        # By identity: `in` would compare the values of tensors.
        alphas = {id(alpha) for alpha in self.alphas.values()}
        return [weight for weight in self.parameters() if id(weight) not in alphas]


def flat(groups: Gates) -> Tensor:
    """All gates, or alphas, in one vector (N,): in the order of the groups, row by row."""
    return torch.cat([group.flatten() for group in groups.values()])
