"""Which sizes of images a network takes: one rule, for the plan, the networks and the counts."""

from collections.abc import Mapping

from fairdarts.vocabulary import Stem

HALVINGS: Mapping[Stem, int] = {"cifar": 2, "imagenet": 5}
"""How often a network with this stem halves the image, its two reduction cells included."""
MIN_AUXILIARY_SIZE: Mapping[Stem, int] = {"cifar": 32, "imagenet": 224}
"""Height and width at which the auxiliary head has enough to work on."""


def size_fault(height: int, width: int, stem: Stem, auxiliary: bool) -> str | None:
    """Why a network of cells cannot take images of this size, without a full stop; None if it can.

    Args:
        height: In pixels.
        width: In pixels.
        stem: What stands before the cells.
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
