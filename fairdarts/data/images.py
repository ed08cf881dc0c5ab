"""A data set, in memory or left in its files, and how parts of it are chosen.

Shapes: N images, H = W pixels a side.
"""

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from fairdarts.data.facts import chosen_number
from fairdarts.data.splits import FileSplit
from fairdarts.errors import DataError

Channels = tuple[float, float, float]
"""One value each for red, green and blue."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Labelled square RGB images, not yet normalised.

    Raises:
        DataError: If shapes, types or the range of the labels do not fit together.
    """

    images: Tensor
    """uint8, (N, 3, H, W)."""
    labels: Tensor
    """int64, (N,), each an index into `class_names`."""
    class_names: tuple[str, ...]
    mean: Channels
    """Mean of the training pixels, in 0..1."""
    std: Channels
    """Their standard deviation."""
    mirror: bool
    """Whether a mirror image keeps its label: False for digits."""

    def __post_init__(self) -> None:
        shape, num = tuple(self.images.shape), len(self.labels)
        if self.images.dtype != torch.uint8 or len(shape) != 4 or shape[1] != 3:
            raise DataError(
                f"images ({self.images.dtype}, shape {shape}) must be uint8 of shape (N, 3, H, W)."
            )
        if shape[2] != shape[3] or shape[2] == 0:
            raise DataError(f"images are {shape[2]} x {shape[3]} pixels, but must be square.")
        if self.labels.dtype != torch.int64 or self.labels.shape != (shape[0],):
            raise DataError(
                f"labels ({self.labels.dtype}, shape {tuple(self.labels.shape)}) must be int64 of "
                f"shape ({shape[0]},), one for each image."
            )
        if num == 0:
            raise DataError("There are no images: a data set needs at least one.")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= self.num_classes:
            raise DataError(
                f"labels lie in {low}..{high}, but must lie in 0..{self.num_classes - 1}: there "
                f"are {self.num_classes} class names."
            )
        if not all(value > 0 for value in self.std):
            raise DataError(f"std (={self.std}) must be positive: a channel is constant.")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_classes(self) -> int:
        """Classes there are names for, whether or not each has an image here."""
        return len(self.class_names)

    @property
    def image_size(self) -> int:
        """Height and width in pixels."""
        return self.images.shape[-1]

    def to(self, device: torch.device | str) -> Self:
        """The same images on `device`."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))

    def subset(self, indices: Tensor | slice) -> Self:
        """The images at `indices`, int64, (M,), or of a slice, which shares memory."""
        return replace(self, images=self.images[indices], labels=self.labels[indices])


@functools.cache
def warn_once(sentence: str) -> None:
    """Log a warning about an image that is left out, only the first time."""
    logging.getLogger(__name__).warning("left out: %s", sentence)


@dataclass(frozen=True, eq=False)
class StoredImages:
    """Labelled images of any size that stay in their files and are decoded for each batch."""

    split: FileSplit
    indices: Tensor
    """int64, (N,), on the CPU, ascending: which images of the split these are."""
    class_names: tuple[str, ...]
    mean: Channels
    """Mean for normalising the batches, in 0..1."""
    std: Channels
    """Their standard deviation."""
    mirror: bool
    """Whether a mirror image keeps its label."""
    image_size: int
    """Height and width in pixels of the images in a batch."""
    skip_damaged: bool = False
    """Whether an image that cannot be decoded is left out of its batch."""
    on_damaged: Callable[[str], None] = warn_once
    """Called with a sentence about an image, every time that it is left out."""

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> Tensor:
        """int64, (N,), each an index into `class_names`."""
        return self.split.labels[self.indices]

    @property
    def num_classes(self) -> int:
        """Classes there are names for, whether or not each has an image here."""
        return len(self.class_names)

    def to(self, device: torch.device | str) -> Self:
        """The same images: they stay in their files, and each batch is moved to its device."""
        return self

    def subset(self, indices: Tensor | slice) -> Self:
        """The images at `indices`, int64, (M,), ascending, or of a slice."""
        return replace(self, indices=self.indices[indices])


Images = ImageSet | StoredImages


def halves(images: Images) -> tuple[Images, Images]:
    """Split for the bi-level search.

    Images in memory are split by index, without a copy; `fairdarts.data.sources.load` has ordered
    them so that both halves have all classes. Stored images may be sorted by class, so each class
    is split: its first image, its third, ... go to the first half, the others to the second.

    Returns:
        The half that trains the weights, and the half that trains the alphas.
    Source:
        Fair DARTS Section 5.1 follows DARTS (arXiv:1806.09055), `train_search.py`, train_portion.
    """
    if isinstance(images, ImageSet):
        half = len(images) // 2
        return images.subset(slice(half)), images.subset(slice(half, None))
    by_class = torch.argsort(images.labels, stable=True)
    weights, alphas = by_class[::2].sort().values, by_class[1::2].sort().values
    return images.subset(weights), images.subset(alphas)


def held_out(images: Images, count: int) -> tuple[Images, Images]:
    """Hold out the first `count` images, spread evenly over the classes.

    Returns:
        The remaining images and the held-out ones, each in their old order.
    Raises:
        DataError: If fewer than two are left to train on.
    """
    if count > len(images) - 2:
        raise DataError(
            f"num_validation (={count}) leaves fewer than 2 of {len(images)} images to train on: "
            "lower it."
        )
    chosen = first_per_class(images.labels, count)
    rest = torch.ones(len(images), dtype=torch.bool)
    rest[chosen] = False
    return images.subset(rest.nonzero().flatten()), images.subset(chosen)


def class_turns(labels: Tensor) -> Tensor:
    """Order that takes the classes in turn: the first image of each, then the second of each, ...

    Args:
        labels: int64, (N,), non-negative.
    Returns:
        A permutation of 0..N-1, int64. A class without further images misses its turn.
    """
    by_class = torch.argsort(labels, stable=True)
    sizes = torch.bincount(labels)
    first = sizes.cumsum(0) - sizes
    turn = torch.empty_like(labels)
    turn[by_class] = torch.arange(len(labels), device=labels.device) - first[labels[by_class]]
    return torch.argsort(turn, stable=True)


def first_per_class(labels: Tensor, count: int) -> Tensor:
    """Choose the first `count` images, spread evenly over the classes.

    Args:
        labels: int64, (N,), non-negative.
        count: How many to choose.
    Returns:
        Indices in ascending order, int64, (count,).
    Raises:
        DataError: If there are fewer than `count`.
    """
    return class_turns(labels)[: chosen_number(len(labels), count)].sort().values
