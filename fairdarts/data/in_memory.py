"""Stored images as one uint8 tensor in memory."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fairdarts.data.splits import StoredSplit
from fairdarts.errors import DataError


def read_into_memory(split: StoredSplit, indices: Tensor, size: int | None) -> Tensor:
    """Decode the images at `indices` into one tensor.

    Args:
        split: Where the images come from.
        indices: int64, (M,), ascending, at least one.
        size: Height and width to resize to (bilinear; the aspect ratio is not kept); None: as
            stored; then all must be square and of one size. Whether a network takes images of this
            size is for `fairdarts.image_size` to say.
    Returns:
        uint8, (M, 3, size, size).
    Raises:
        DataError: If an image is damaged, or if no size is given and the stored ones do not fit.
    """
    images, side = np.empty(0, np.uint8), 0
    for position, (where, image) in enumerate(split.images(indices)):
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
    if image.size != (side, side):
        raise DataError(
            f"{where} is {image.width} x {image.height} pixels, not {side} x {side}: set "
            "data.image_size to resize them all to one square."
        )
