"""Stored images to uint8 tensors: the only place where images are handled one by one."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fairdarts.errors import DataError

SIDE_MULTIPLE = 4
"""Pixels that the side of an image must be a multiple of: two reduction cells halve it."""


@dataclass(frozen=True)
class StoredSplit:
    """The training or test images of a source before they are decoded."""

    labels: Tensor
    """int64, (N,), non-negative."""
    read: Callable[[list[int]], Iterator[tuple[str, Image.Image]]]
    """(where it lies, RGB image) of each of the given indices, which ascend."""


def open_image(data: bytes, where: str) -> Image.Image:
    """Decode one image file to RGB.

    Raises:
        DataError: If `data` is no whole image of 8 bits a channel; `where` names it.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            mode, rgb = image.mode, image.convert("RGB")
    except Exception as error:  # Pillow's readers raise many kinds on damaged bytes.
        raise DataError(f"{where} is no readable image: replace it or leave it out.") from error
    if mode.startswith(("I", "F")):  # Pillow would clip these to 0..255.
        raise DataError(f"{where} has more than 8 bits a channel: convert it to 8-bit RGB.")
    return rgb


def decode(split: StoredSplit, indices: Tensor, size: int | None) -> Tensor:
    """Decode the images at `indices`, which ascend, into one tensor.

    Args:
        split: Where the images come from.
        indices: int64, (M,), at least one.
        size: Height and width to resize to (bilinear; the aspect ratio is not kept); None: as
            stored, when all are square, of one size and a multiple of SIDE_MULTIPLE.
    Returns:
        uint8, (M, 3, size, size).
    Raises:
        DataError: If an image is damaged, or no size is given and theirs cannot be used.
    """
    images, side = np.empty(0, np.uint8), 0
    for position, (where, image) in enumerate(split.read(indices.tolist())):
        if position == 0:
            side = size or image.width
            images = np.empty((len(indices), 3, side, side), np.uint8)
        if size is None:
            _check_size(image, side, where)
        elif image.size != (side, side):
            image = image.resize((side, side), Image.Resampling.BILINEAR)
        images[position] = np.asarray(image).transpose(2, 0, 1)
    return torch.from_numpy(images)


def _check_size(image: Image.Image, side: int, where: str) -> None:
    given = f"{where} is {image.width} x {image.height} pixels"
    if image.size != (side, side):
        raise DataError(
            f"{given}, not {side} x {side}: set data.image_size to resize them all to one square."
        )
    if side % SIDE_MULTIPLE:
        raise DataError(
            f"{given}, but the sides must be a multiple of {SIDE_MULTIPLE}, because two reduction "
            f"cells halve them: set data.image_size to resize them all."
        )
