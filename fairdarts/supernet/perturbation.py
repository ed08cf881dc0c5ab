"""What may disturb the supernet while it is trained: noise, and the cures of other papers.

Each is a small class and an entry of `PERTURBATION_CLASSES`, and `fairdarts.cures` has its name for
the settings; `docs/extending.md` adds one step by step.

Shapes: B batch, C channels, H W space, E edges, O operations.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fairdarts.spaces import LAYER_SKIP, SKIP

IDENTITIES = (SKIP, LAYER_SKIP)
"""Operations that return their features unchanged where the stride is 1."""


@dataclass(frozen=True)
class Perturbation:
    """The base of all perturbations: it changes nothing, and each overrides what it disturbs."""

    strength: float
    """`search.perturbation_strength`."""
    progress: float
    """Share of the epochs that are finished, 0 to less than 1."""
    chance: torch.Generator
    """On the device of the search, seeded for the step: a resumed search draws the same numbers."""

    def touches(self, operation: str, stride: int) -> bool:
        """Whether `on_output` changes the output of this operation."""
        return False

    def on_output(self, operation: str, features: Tensor) -> Tensor:
        """Disturb the features of one operation on some edges, (B, E, C, H, W), before the gate.

        A layer of S2 is one edge.
        """
        return features

    def on_alphas(self, alphas: Tensor) -> Tensor:
        """Disturb the architecture parameters of one group, (E, O) or (O,), before the relaxation.

        See `fairdarts.supernet.base` for groups.
        """
        return alphas

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal noise of the shape of a tensor."""
        return like.new_empty(like.shape).normal_(generator=self.chance)

    def survivors(self, drop_prob: float, like: Tensor) -> Tensor:
        """Factors in the shape of a tensor: 1 / (1 - drop_prob) where an entry survives, else 0."""
        draws = like.new_empty(like.shape).uniform_(generator=self.chance)
        return (draws >= drop_prob).to(like.dtype) / (1 - drop_prob)


def _cosine_decay(progress: float) -> float:
    return (1 + math.cos(math.pi * progress)) / 2


class SkipNoise(Perturbation):
    """Gaussian noise on the features of skip connections, which fades out along a cosine.

    Source:
        Fair DARTS, arXiv:1911.12126, Section 6.3 (experiment 12): N(0, 1) with cosine decay.
    """

    def touches(self, operation: str, stride: int) -> bool:  # noqa: D102
        return operation in IDENTITIES and stride == 1

    def on_output(self, operation: str, features: Tensor) -> Tensor:  # noqa: D102
        return features + self.strength * _cosine_decay(self.progress) * self.normal(features)


class AlphaNoise(Perturbation):
    """Noise like that of `SkipNoise`, on the architecture parameters themselves."""

    def on_alphas(self, alphas: Tensor) -> Tensor:  # noqa: D102
        return alphas + self.strength * _cosine_decay(self.progress) * self.normal(alphas)


class SkipDropout(Perturbation):
    """Dropout on the features of skip connections; its rate falls linearly to 0.

    Source:
        P-DARTS, arXiv:1904.12760, Section 3.3, which sets 0.1, 0.4 or 0.7 at the start of a stage.
    """

    def touches(self, operation: str, stride: int) -> bool:  # noqa: D102
        return operation in IDENTITIES and stride == 1

    def on_output(self, operation: str, features: Tensor) -> Tensor:  # noqa: D102
        return features * self.survivors(self.strength * (1 - self.progress), features)


class DropPath(Perturbation):
    """Drop operations at random, for each edge and image; the rate grows linearly to its strength.

    Source:
        After RobustDARTS, arXiv:1909.09656, Section 5.1, with strengths 0.2, 0.4 and 0.6; there a
        whole edge is dropped, here each operation on it by itself.
    """

    def touches(self, operation: str, stride: int) -> bool:  # noqa: D102
        return True

    def on_output(self, operation: str, features: Tensor) -> Tensor:  # noqa: D102
        images = features[:, :, :1, :1, :1]
        return features * self.survivors(self.strength * self.progress, images)


PERTURBATION_CLASSES: dict[str, type[Perturbation]] = {
    "skip_noise": SkipNoise,
    "alpha_noise": AlphaNoise,
    "skip_dropout": SkipDropout,
    "drop_path": DropPath,
}
