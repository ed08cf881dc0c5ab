"""The training or test images of a source as they are stored.

Shapes: N images of a split, M of them asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from fairdarts.data.files import reading
from fairdarts.data.image_file import open_image


class Encoded(NamedTuple):
    """An image file, in a form that another process can decode."""

    where: str
    """Names it in an error: its path, or a Parquet file and a row."""
    data: bytes | None
    """Its content; None: `where` is a path, and the process that decodes it reads the file."""

    def image(self) -> Image.Image:
        """Decode it to RGB.

        Raises:
            DataError: If it cannot be read or is damaged.
        """
        return open_image(self.content(), self.where)

    def content(self) -> bytes:
        """The bytes of the file.

        Raises:
            DataError: If it cannot be read.
        """
        if self.data is not None:
            return self.data
        with reading(Path(self.where)):
            return Path(self.where).read_bytes()


class StoredSplit(ABC):
    """One split before it is decoded."""

    labels: Tensor
    """int64, (N,), non-negative."""

    @abstractmethod
    def images(self, indices: Tensor) -> Iterator[tuple[str, Image.Image]]:
        """(name for an error, RGB image) for each of the indices, int64, (M,), ascending."""


class ArraySplit(StoredSplit):
    """Images that are already an array."""

    def __init__(self, pixels: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> None:
        """Take `pixels`, (N, H, W) or (N, H, W, 3), and their `labels`, (N,)."""
        self._pixels = pixels
        self.labels = torch.from_numpy(labels)

    def images(self, indices: Tensor) -> Iterator[tuple[str, Image.Image]]:
        """See `StoredSplit.images`."""
        for index in indices.tolist():
            yield f"image {index}", Image.fromarray(self._pixels[index]).convert("RGB")


class FileSplit(StoredSplit):
    """Images that are image files, which can be read in any order."""

    @abstractmethod
    def encoded(self, indices: Tensor) -> Iterator[Encoded]:
        """The image files at `indices`, int64, (M,), each named once, in that order."""

    def shuffled(self, indices: Tensor, chance: torch.Generator) -> Tensor:
        """The ascending `indices` in a random order in which reading them is cheap."""
        return indices[torch.randperm(len(indices), generator=chance)]

    def images(self, indices: Tensor) -> Iterator[tuple[str, Image.Image]]:
        """See `StoredSplit.images`."""
        for encoded in self.encoded(indices):
            yield encoded.where, encoded.image()


class PathSplit(FileSplit):
    """One file for each image."""

    def __init__(self, paths: Sequence[str], labels: Tensor) -> None:
        """Take the paths; the process that decodes an image reads its file."""
        self._paths = paths
        self.labels = labels

    def encoded(self, indices: Tensor) -> Iterator[Encoded]:
        """See `FileSplit.encoded`."""
        for index in indices.tolist():
            yield Encoded(self._paths[index], None)
