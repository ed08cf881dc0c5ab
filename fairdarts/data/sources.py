"""Data sets by name or path, decoded once a process."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from fairdarts.config import DataConfig
from fairdarts.data.decode import StoredSplit, decode, open_image
from fairdarts.data.files import (
    Split,
    download_root,
    folder_files,
    parquet_files,
    reading,
    unusable_cifar,
)
from fairdarts.data.images import Channels, ImageSet, class_turns, first_per_class
from fairdarts.data.parquet import parquet_split, stored_class_names
from fairdarts.errors import DataError

NUM_DIGITS_TRAIN = 1437
"""Writers follow each other in the digits, so the 360 images after these are by unseen writers."""
DIGITS_SIZE = 32

PUBLISHED_STATISTICS: dict[str, tuple[Channels, Channels]] = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
}
"""Mean and standard deviation of the training pixels that the literature normalises with."""


@dataclass(frozen=True)
class Source:
    """One split of a data set before it is decoded."""

    images: StoredSplit
    class_names: tuple[str, ...]
    """Those that the split itself names or shows; the ones of the training images are used."""
    mirror: bool = True
    """Whether a mirror image keeps its label; images from files are taken to."""
    default_size: int | None = None
    """Pixels a side unless told otherwise; None: as stored."""


def load(config: DataConfig, *, download: bool = False) -> tuple[ImageSet, ImageSet]:
    """Load the training and the test images of a source.

    A set stored class by class is reordered to take the classes in turn: a search trains weights on
    the first half and alphas on the second, and both must see every class.

    Args:
        config: Source, number of images and their size.
        download: Fetch CIFAR if it is not there.
    Returns:
        (train, test) on the CPU. A second call returns the same tensors: do not write to them.
    Raises:
        DataError: If the source is missing or damaged, or has too few images.
    """
    if download and config.source in PUBLISHED_STATISTICS:
        _cifar_arrays(config.source, download_root(), "train", download=True)
    return load_train(config), _test_images(config, download_root())


def load_train(config: DataConfig) -> ImageSet:
    """The training images alone, see `load`: a search decodes no test image.

    Raises:
        DataError: If the source is missing or damaged, or has too few images.
    """
    return _train_images(config.source, download_root(), config.num_train, config.image_size)


# Only decoded images are kept, so that those as stored are let go.
@lru_cache(maxsize=2)
def _train_images(source: str, root: Path, count: int | None, size: int | None) -> ImageSet:
    stored = _open(source, root, "train")
    _check_labels(f"{source}: a training image", stored.images.labels, stored.class_names)
    images, labels = _decoded(stored.images, count, size or stored.default_size)
    mean, std = PUBLISHED_STATISTICS.get(source) or pixel_statistics(images)
    return ImageSet(images, labels, stored.class_names, mean, std, stored.mirror)


@lru_cache(maxsize=2)
def _test_images(config: DataConfig, root: Path) -> ImageSet:
    train = load_train(config)
    stored = _open(config.source, root, "test")
    _check_labels(f"{config.source}: a test image", stored.images.labels, train.class_names)
    size = config.image_size or stored.default_size
    images, labels = _decoded(stored.images, config.num_test, size)
    if images.shape[1:] != train.images.shape[1:]:
        raise DataError(
            f"{config.source}: training images are {train.image_size} pixels wide and test images "
            f"{images.shape[-1]}: set data.image_size to resize them all."
        )
    return ImageSet(images, labels, train.class_names, train.mean, train.std, train.mirror)


def _open(source: str, root: Path, split: Split) -> Source:
    kind, _, directory = source.partition(":")
    if kind == "digits":
        return _digits(split)
    if kind == "parquet":
        return _parquet(directory, split)
    if kind == "folder":
        return _folder(directory, split)
    return _cifar(kind, root, split)


def pixel_statistics(images: Tensor) -> tuple[Channels, Channels]:
    """Mean and population standard deviation of each channel, of pixel values in 0..1.

    Args:
        images: uint8, (N, 3, H, W).
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in images.unbind(1):
        # Counting the 256 levels keeps the sums exact, whatever the order of the images.
        share = torch.bincount(channel.reshape(-1), minlength=256).double() / channel.numel()
        mean = (share * levels).sum()
        means.append(mean.item())
        stds.append((share * (levels - mean) ** 2).sum().sqrt().item())
    return (means[0], means[1], means[2]), (stds[0], stds[1], stds[2])


def _check_labels(which: str, labels: Tensor, class_names: tuple[str, ...]) -> None:
    if (highest := int(labels.max())) >= len(class_names):
        raise DataError(
            f"{which} has the label {highest}, but the training files have {len(class_names)} "
            f"classes: correct the labels, or the class names in their metadata."
        )


def _decoded(split: StoredSplit, count: int | None, size: int | None) -> tuple[Tensor, Tensor]:
    indices = torch.arange(len(split.labels))
    if count is not None:
        indices = first_per_class(split.labels, count)
    images, labels = decode(split, indices, size), split.labels[indices]
    if _stored_class_by_class(labels):
        turns = class_turns(labels)
        return images[turns], labels[turns]
    return images, labels


def _stored_class_by_class(labels: Tensor) -> bool:
    return (
        int(labels.diff().count_nonzero()) == int(torch.count_nonzero(torch.bincount(labels))) - 1
    )


def _digits(split: Split) -> Source:
    from sklearn.datasets import load_digits

    digits = load_digits()
    levels = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    labels = digits.target.astype(np.int64)
    cut = NUM_DIGITS_TRAIN
    part = slice(None, cut) if split == "train" else slice(cut, None)
    return Source(
        images=_array_split(levels[part], labels[part]),
        class_names=tuple(map(str, range(10))),
        mirror=False,
        default_size=DIGITS_SIZE,
    )


def _cifar(kind: str, root: Path, split: Split) -> Source:
    stored = _cifar_arrays(kind, root, split)
    return Source(
        images=_array_split(stored.data, np.array(stored.targets, np.int64)),
        class_names=tuple(stored.classes),
    )


def _cifar_arrays(kind: str, root: Path, split: Split, download: bool = False) -> Any:
    from torchvision.datasets import CIFAR10, CIFAR100

    dataset = CIFAR10 if kind == "cifar10" else CIFAR100
    try:
        # torchvision compares each file with its published MD5 before it unpickles anything.
        return dataset(root, train=split == "train", download=download)
    except (RuntimeError, OSError) as error:
        if download:
            raise DataError(f"{kind} could not be fetched into {root}: {error}.") from error
        raise unusable_cifar(kind) from error


def _array_split(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> StoredSplit:
    def read(indices: list[int]) -> Iterator[tuple[str, Image.Image]]:
        for index in indices:
            yield f"image {index}", Image.fromarray(images[index]).convert("RGB")

    return StoredSplit(torch.from_numpy(labels), read)


def _parquet(directory: str, split: Split) -> Source:
    shards = parquet_files(directory, split)
    images = parquet_split(shards)
    counted = map(str, range(1 + int(images.labels.max())))
    return Source(images, stored_class_names(shards[0]) or tuple(counted))


def _folder(directory: str, split: Split) -> Source:
    files = folder_files(directory, split)
    paths = [path for of_class in files.by_class.values() for path in of_class]
    sizes = torch.tensor([len(of_class) for of_class in files.by_class.values()])
    labels = torch.arange(len(sizes)).repeat_interleave(sizes)

    def read(indices: list[int]) -> Iterator[tuple[str, Image.Image]]:
        for path in (paths[index] for index in indices):
            with reading(path):
                data = path.read_bytes()
            yield str(path), open_image(data, str(path))

    return Source(StoredSplit(labels, read), tuple(files.by_class))
