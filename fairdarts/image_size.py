"""The image sizes that a network takes: one rule for the plan, the networks and the counts."""

from collections.abc import Mapping

from fairdarts.vocabulary import Stem

HALVINGS: Mapping[Stem, int] = {"cifar": 2, "imagenet": 5}
"""How many times a network with this stem halves the image, including its reduction cells."""
MIN_AUXILIARY_SIZE: Mapping[Stem, int] = {"cifar": 32, "imagenet": 224}
"""Smallest height and width with which the auxiliary head works."""


def size_fault(height: int, width: int, stem: Stem, auxiliary: bool) -> str | None:
    """Why a network of cells cannot take images of this size; None if it can. No full stop.

    Args:
        height: In pixels.
        width: In pixels.
        stem: What comes before the cells.
        auxiliary: Whether the network has an auxiliary head.
    """
    multiple, smallest = 2 ** HALVINGS[stem], MIN_AUXILIARY_SIZE[stem]
    if height % multiple or width % multiple:
        return (
            f"image_size (={height}x{width}) must be divisible by {multiple}: a network with the "
            f"{stem} stem halves the image {HALVINGS[stem]} times"
        )
    if auxiliary and min(height, width) < smallest:
        return (
            f"image_size (={height}x{width}) is too small for the auxiliary head, which needs "
            f"{smallest}x{smallest}: enlarge the images or set auxiliary_weight to 0"
        )
    return None
