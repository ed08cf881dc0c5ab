"""The training or test images of a source as they are stored: the only place that opens files.

Shapes: N images of a split, M of them asked for.
"""

import io
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from fairdarts.data.files import reading
from fairdarts.errors import DataError


def open_image(data: bytes, where: str) -> Image.Image:
    """Decode one image file to RGB.

    Palettes, grey, CMYK and other colours become RGB; transparency is dropped; of 16 bits a channel
    in colour the upper 8 are kept; of an animation the first picture is taken. Pixels stay where
    they are stored, whatever EXIF says of how the camera was held: torchvision and timm, with which
    published accuracies were measured, read them so too.

    Raises:
        DataError: If `data` is not a whole image, has more than 8 bits a channel in grey, or is too
            large; the sentence says which, and `where` names the image.
    """
    try:
        # Pillow warns of what does no harm here, such as damaged EXIF data; the rest it raises.
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as image:
            if image.mode.startswith(("I", "F")):  # Pillow would clip these to 0..255.
                raise DataError(
                    f"{where} has more than 8 bits a channel (Pillow's mode {image.mode}): convert "
                    "it to 8-bit grey or RGB, with the range of values that you want to be seen."
                )
            return image.convert("RGB")
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise DataError(
            f"{where} has more than {most:,} pixels, the most that are decoded: make it smaller."
        ) from error
    except (DataError, MemoryError):
        raise
    except Exception as error:  # Pillow's readers raise many kinds on damaged bytes.
        raise DataError(
            f"{where} is not a readable image ({_reason(data, error)}): replace it or leave it out."
        ) from error


def _reason(data: bytes, error: Exception) -> str:
    if not data:
        return "it is empty"
    if isinstance(error, UnidentifiedImageError):  # Its own text names a Python object.
        return "its format is not known"
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


class Encoded(NamedTuple):
    """An image file that may be handed to another process to decode."""

    where: str
    """What names it in an error: its path, or another file and the row in it."""
    data: bytes | None
    """Its content; None: `where` is a path that whoever decodes it reads."""

    def image(self) -> Image.Image:
        """Decode it to RGB.

        Raises:
            DataError: If it cannot be read or is damaged.
        """
        if self.data is not None:
            return open_image(self.data, self.where)
        with reading(Path(self.where)):
            data = Path(self.where).read_bytes()
        return open_image(data, self.where)


class StoredSplit(ABC):
    """One split before it is decoded."""

    labels: Tensor
    """int64, (N,), non-negative."""

    @abstractmethod
    def images(self, indices: Tensor) -> Iterator[tuple[str, Image.Image]]:
        """(where it lies, RGB image) of each of the indices, int64, (M,), which ascend."""


class ArraySplit(StoredSplit):
    """Images that are an array already."""

    def __init__(self, pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> None:
        """Take `pixels`, (N, H, W) or (N, H, W, 3), and their `labels`, (N,)."""
        self._pixels = pixels
        self.labels = torch.from_numpy(labels)

    def images(self, indices: Tensor) -> Iterator[tuple[str, Image.Image]]:
        """See `StoredSplit.images`."""
        for index in indices.tolist():
            yield f"image {index}", Image.fromarray(self._pixels[index]).convert("RGB")


class FileSplit(StoredSplit):
    """Images that are image files, so that they can be read in any order."""

    @abstractmethod
    def encoded(self, indices: Tensor) -> Iterator[Encoded]:
        """The image files at `indices`, int64, (M,), each named once, in that order."""

    def shuffled(self, indices: Tensor, chance: torch.Generator) -> Tensor:
        """`indices`, which ascend, in an order by chance in which reading them is cheap."""
        return indices[torch.randperm(len(indices), generator=chance)]

    def images(self, indices: Tensor) -> Iterator[tuple[str, Image.Image]]:
        """See `StoredSplit.images`."""
        for encoded in self.encoded(indices):
            yield encoded.where, encoded.image()


class PathSplit(FileSplit):
    """One file an image."""

    def __init__(self, paths: Sequence[str], labels: Tensor) -> None:
        """Name the files; they are read when asked for, by whoever decodes them."""
        self._paths = paths
        self.labels = labels

    def encoded(self, indices: Tensor) -> Iterator[Encoded]:
        """See `FileSplit.encoded`."""
        for index in indices.tolist():
            yield Encoded(self._paths[index], None)
