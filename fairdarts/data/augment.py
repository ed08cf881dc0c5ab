"""Augmentation. Whole batches in memory are cropped, mirrored, normalised and cut out.

Shapes: B images, H, W pixels. Nothing here waits for a GPU: no value is read back to Python.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from fairdarts.data.images import Channels


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images; by default the CIFAR recipe of DARTS (arXiv:1806.09055)."""

    crop_padding: int = 4
    """An image in memory is padded by this many pixels of zeros on each side, and a window of its
    own size is cropped at random; 0: no crop. Of a stored image a random part is resized
    instead."""
    mirror: bool = True
    """Mirror each image with probability one half."""
    color_jitter: tuple[float, float, float, float] | None = None
    """Strengths for brightness, contrast, saturation and hue; DARTS on ImageNet: 0.4, 0.4, 0.4,
    0.2. Stored images only."""
    auto_augment: bool = False
    """AutoAugment's policy for ImageNet (arXiv:1805.09501). Stored images only."""
    cutout: int = 0
    """Side in pixels of the square that is erased (arXiv:1708.04552); 0: none."""


@dataclass(frozen=True, eq=False)
class Draws:
    """The random choices for each image of a batch; int64, (B,), except `mirrored`."""

    top: Tensor
    left: Tensor
    """First row and column of the window in the padded image, 0..2 * crop_padding."""
    mirrored: Tensor
    """bool, (B,)."""
    centre_y: Tensor
    centre_x: Tensor
    """Centre of the square that cutout erases."""


def draw(images: Tensor, how: Augmentation, generator: torch.Generator) -> Draws:
    """Draw the random choices for a batch.

    Args:
        images: (B, 3, H, W), of which only the shape matters.
        how: What to do. All choices are always drawn, so switching one step off does not change
            the choices for the others.
        generator: On the device of `images`.
    """
    num, _, height, width = images.shape
    device = images.device

    def integers(end: int) -> Tensor:
        return torch.randint(end, (num,), generator=generator, device=device)

    return Draws(
        top=integers(2 * how.crop_padding + 1),
        left=integers(2 * how.crop_padding + 1),
        mirrored=torch.rand(num, generator=generator, device=device) < 0.5,
        centre_y=integers(height),
        centre_x=integers(width),
    )


def augment(
    images: Tensor,
    how: Augmentation,
    mean: Channels,
    std: Channels,
    generator: torch.Generator,
) -> Tensor:
    """Crop, mirror, normalise and cut out, with random choices for each image.

    Args:
        images: uint8, (B, 3, H, W).
        how: What to do.
        mean: Mean of the pixel values in 0..1.
        std: Their standard deviation.
        generator: On the device of `images`.
    Returns:
        float32, (B, 3, H, W).
    """
    return apply(images, how, draw(images, how, generator), mean, std)


def apply(images: Tensor, how: Augmentation, draws: Draws, mean: Channels, std: Channels) -> Tensor:
    """As `augment`, with given choices instead of new ones."""
    moved = _cropped_and_mirrored(images, how, draws)
    normal = normalise(moved, mean, std)
    if how.cutout:
        # After normalising, as in DARTS: the square gets the colour of the mean.
        normal.masked_fill_(_cutout_mask(images, how.cutout, draws), 0.0)
    return normal


def normalise(images: Tensor, mean: Channels, std: Channels) -> Tensor:
    """Map uint8 (B, 3, H, W) to float32 of about zero mean and unit variance."""
    return (
        # A copy even of float32: what follows changes it in place.
        images.to(torch.float32, copy=True)
        .div_(255)
        .sub_(_per_channel(mean, images.device))
        .div_(_per_channel(std, images.device))
    )


@lru_cache(maxsize=32)
def _per_channel(values: Channels, device: torch.device) -> Tensor:
    # Kept, because copying it to a GPU for each batch would wait for the GPU.
    return torch.tensor(values, dtype=torch.float32, device=device).view(3, 1, 1)


def _cropped_and_mirrored(images: Tensor, how: Augmentation, draws: Draws) -> Tensor:
    num, channels, height, width = images.shape
    device, pad = images.device, how.crop_padding
    columns = torch.arange(width, device=device).expand(num, width)
    if how.mirror:
        columns = torch.where(draws.mirrored[:, None], columns.flip(1), columns)
    columns = draws.left[:, None] + columns
    rows = draws.top[:, None] + torch.arange(height, device=device)
    padded = F.pad(images, (pad, pad, pad, pad)).flatten(2)
    # One gather over flattened pixels: 4 times as fast on a CPU as indexing by row and column.
    pixels = (rows[:, :, None] * (width + 2 * pad) + columns[:, None, :]).flatten(1)
    window = padded.gather(2, pixels[:, None, :].expand(num, channels, height * width))
    return window.view(num, channels, height, width)


def _cutout_mask(images: Tensor, side: int, draws: Draws) -> Tensor:
    """Where to erase: bool, (B, 1, H, W). The square is clipped at the border."""
    height, width = images.shape[-2:]

    def inside(centres: Tensor, length: int) -> Tensor:
        distance = torch.arange(length, device=images.device) - centres[:, None]
        return (distance >= -(side // 2)) & (distance < side - side // 2)

    rows, columns = inside(draws.centre_y, height), inside(draws.centre_x, width)
    return (rows[:, :, None] & columns[:, None, :])[:, None]
