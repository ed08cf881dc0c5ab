"""Load a data set by name or path: decoded once in each process, or left in its files."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fairdarts.config import DataConfig
from fairdarts.data.facts import (
    DIGITS_SIZE,
    NUM_DIGITS_TRAIN,
    RESIZED_CROP_SIZE,
    check_num_classes,
)
from fairdarts.data.files import CIFAR_FILES, Split, download_root, unusable_cifar
from fairdarts.data.fingerprint import stored_state
from fairdarts.data.folders import class_files
from fairdarts.data.images import (
    Channels,
    Images,
    ImageSet,
    StoredImages,
    class_turns,
    first_per_class,
)
from fairdarts.data.in_memory import read_into_memory
from fairdarts.data.labels import parquet_labels
from fairdarts.data.parquet import parquet_split
from fairdarts.data.shards import parquet_files
from fairdarts.data.splits import ArraySplit, FileSplit, PathSplit, StoredSplit
from fairdarts.errors import DataError

PUBLISHED_STATISTICS: dict[str, tuple[Channels, Channels]] = {
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and standard deviation of the training pixels that publications normalise with."""


@dataclass(frozen=True)
class Source:
    """One split of a data set before it is decoded."""

    images: StoredSplit
    class_names: tuple[str, ...]
    """As found in this split; the loaded images have those of the training split."""
    mirror: bool = True
    """Whether a mirror image keeps its label; of images from files this is assumed."""
    default_size: int | None = None
    """Height and width in pixels if the settings give none; None: as stored."""


def load(config: DataConfig, *, download: bool = False) -> tuple[Images, Images]:
    """Load the training and the test images of a source.

    With `augmentation = "crop"` they are decoded into memory. A data set that is sorted by class is
    reordered so that the classes take turns: a search trains weights on the first half and alphas
    on the second, and both must see every class.

    With `"resized_crop"` only the labels are read. Images of every source are then normalised with
    the published statistics of ImageNet, because computing their own would mean decoding them all.

    Args:
        config: Source, number of images, their size and augmentation.
        download: Fetch CIFAR if it is not there.
    Returns:
        (train, test) on the CPU. A second call returns the same tensors unless files have changed,
        so do not write to them.
    Raises:
        DataError: If the source is missing or damaged, or has too few images.
    """
    if download and config.source in CIFAR_FILES:
        _cifar_arrays(config.source, download_root(), "train", download=True)
    states = stored_state(config, "train"), stored_state(config, "test")
    root = download_root()
    return _training(config, root, states[0]), _test_images(config, root, states)


def load_train(config: DataConfig) -> Images:
    """Only the training images, see `load`: a search does not decode test images.

    Raises:
        DataError: If the source is missing or damaged, or has too few images.
    """
    return _training(config, download_root(), stored_state(config, "train"))


def _training(config: DataConfig, root: Path, state: str) -> Images:
    return _train_images(config.model_copy(update={"num_test": None}), root, state)


# This cache keeps the decoded images; the stored ones are freed. `state` makes it miss when a file
# has changed.
@lru_cache(maxsize=2)
def _train_images(config: DataConfig, root: Path, state: str) -> Images:
    stored = _open(config, root, "train")
    check_num_classes(config, len(stored.class_names))
    class_names = stored.class_names[: config.num_classes]
    indices = _chosen(stored.images.labels, config.num_classes, config.num_train)
    if config.augmentation == "resized_crop":
        mean, std = PUBLISHED_STATISTICS["imagenet"]
        size = config.image_size or RESIZED_CROP_SIZE
        split = _files(stored.images)
        skip = config.damaged == "skip"
        return StoredImages(split, indices, class_names, mean, std, stored.mirror, size, skip)
    images, labels = _decoded(stored.images, indices, config.image_size or stored.default_size)
    mean, std = PUBLISHED_STATISTICS.get(config.source) or pixel_statistics(images)
    return ImageSet(images, labels, class_names, mean, std, stored.mirror)


@lru_cache(maxsize=2)
def _test_images(config: DataConfig, root: Path, states: tuple[str, str]) -> Images:
    train = _training(config, root, states[0])
    stored = _open(config, root, "test")
    indices = _chosen(stored.images.labels, config.num_classes, config.num_test)
    if isinstance(train, StoredImages):
        return replace(train, split=_files(stored.images), indices=indices)
    size = config.image_size or stored.default_size
    images, labels = _decoded(stored.images, indices, size)
    if images.shape[1:] != train.images.shape[1:]:
        raise DataError(
            f"{config.source}: training images are {train.image_size} pixels wide and test images "
            f"{images.shape[-1]}: set data.image_size to resize them all."
        )
    return replace(train, images=images, labels=labels)


def _files(split: StoredSplit) -> FileSplit:
    assert isinstance(split, FileSplit)  # DataConfig refuses resized crops of others.
    return split


def _open(config: DataConfig, root: Path, split: Split) -> Source:
    kind = config.source.partition(":")[0]
    if kind == "digits":
        return _digits(split)
    if kind == "parquet":
        return _parquet(config, split)
    if kind in ("folder", "imagenet"):
        return _classes(config, split)
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


def _chosen(labels: Tensor, num_classes: int | None, count: int | None) -> Tensor:
    """Indices, ascending, of the images that the settings ask for."""
    indices = torch.arange(len(labels))
    if num_classes is not None:
        indices = indices[labels < num_classes]
        if not len(indices):
            raise DataError(f"no image is in the first {num_classes} classes: raise num_classes.")
    if count is not None:
        indices = indices[first_per_class(labels[indices], count)]
    return indices


def _decoded(split: StoredSplit, indices: Tensor, size: int | None) -> tuple[Tensor, Tensor]:
    images, labels = read_into_memory(split, indices, size), split.labels[indices]
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
        images=ArraySplit(levels[part], labels[part]),
        class_names=tuple(map(str, range(10))),
        mirror=False,
        default_size=DIGITS_SIZE,
    )


def _cifar(kind: str, root: Path, split: Split) -> Source:
    stored = _cifar_arrays(kind, root, split)
    return Source(
        images=ArraySplit(stored.data, np.array(stored.targets, np.int64)),
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


def _parquet(config: DataConfig, split: Split) -> Source:
    labels = parquet_labels(config, split)
    files = parquet_files(config, split)
    images = parquet_split(files, torch.from_numpy(labels.indices), config.image_column)
    return Source(images, labels.class_names)


def _classes(config: DataConfig, split: Split) -> Source:
    files = class_files(config, split)
    paths = [
        f"{files.directory}/{path}" for of_class in files.by_class.values() for path in of_class
    ]
    sizes = torch.tensor([len(of_class) for of_class in files.by_class.values()])
    labels = torch.arange(len(sizes)).repeat_interleave(sizes)
    return Source(PathSplit(paths, labels), tuple(files.by_class))
