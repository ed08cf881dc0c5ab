"""What can be known about a data set before decoding it: how many images, classes and pixels.

Planning needs this, so torch is not imported here, and pyarrow only for Parquet files.
"""

import gzip
from dataclasses import dataclass

from fairdarts.config import DataConfig
from fairdarts.data.files import CIFAR_FILES, Split, reading
from fairdarts.data.fingerprint import digits_folder
from fairdarts.data.folders import class_files
from fairdarts.data.image_file import image_size
from fairdarts.data.shards import parquet_files
from fairdarts.errors import DataError

NUM_DIGITS_TRAIN = 1437
"""The images of a writer are stored together, so the 360 after these are by unseen writers."""
DIGITS_SIZE = 32
CIFAR_SIZE = 32
RESIZED_CROP_SIZE = 224
"""Height and width in pixels with `resized_crop`, if the settings give none."""


@dataclass(frozen=True)
class Facts:
    """The part of a data set that the settings choose."""

    num_classes: int
    """Classes of the training images."""
    num_train: int
    num_test: int
    height: int
    width: int
    """In pixels, as networks get the images. If images keep their stored size, these are of the
    first training image."""


def facts(config: DataConfig) -> Facts:
    """Look at file names, labels and the header of one image.

    Raises:
        DataError: If the source is missing, or has fewer images or classes than asked for.
    """
    train, test = (_class_counts(config, split) for split in ("train", "test"))
    check_num_classes(config, len(train))
    num_classes = config.num_classes or len(train)
    height, width = _size(config)
    return Facts(
        num_classes=num_classes,
        num_train=chosen_number(sum(train[:num_classes]), config.num_train),
        num_test=chosen_number(sum(test[:num_classes]), config.num_test),
        height=height,
        width=width,
    )


def check_num_classes(config: DataConfig, num_stored: int) -> None:
    """Check that the source has as many classes as the settings ask for.

    Raises:
        DataError: If it has fewer.
    """
    if config.num_classes is not None and config.num_classes > num_stored:
        raise DataError(
            f"num_classes (={config.num_classes}) is more than the {num_stored} classes of "
            f"{config.source}: lower it, or leave it out for all."
        )


def chosen_number(num_there: int, wanted: int | None) -> int:
    """How many of the images are used; all of them if `wanted` is None.

    Raises:
        DataError: If more are wanted than there are.
    """
    if wanted is not None and wanted > num_there:
        raise DataError(
            f"{wanted} images are asked for, but there are {num_there}: lower num_train or "
            "num_test, or leave it out for all."
        )
    return num_there if wanted is None else wanted


def _class_counts(config: DataConfig, split: Split) -> list[int]:
    """Images of each class."""
    kind = config.source.partition(":")[0]
    if kind == "digits":
        return _digits_counts(split)
    if kind in CIFAR_FILES:
        num_classes = 10 if kind == "cifar10" else 100
        return [(50_000 if split == "train" else 10_000) // num_classes] * num_classes
    if kind == "parquet":
        from fairdarts.data.labels import parquet_labels

        return parquet_labels(config, split).counts()
    return [len(images) for images in class_files(config, split).by_class.values()]


def _digits_counts(split: Split) -> list[int]:
    with gzip.open(digits_folder() / "digits.csv.gz", "rt", encoding="ascii") as lines:
        labels = [int(line.rpartition(",")[2].partition(".")[0]) for line in lines]
    cut = NUM_DIGITS_TRAIN
    part = labels[:cut] if split == "train" else labels[cut:]
    return [part.count(label) for label in range(10)]


def _size(config: DataConfig) -> tuple[int, int]:
    """Height and width in pixels."""
    kind = config.source.partition(":")[0]
    side = config.image_size
    if side is None and config.augmentation == "resized_crop":
        side = RESIZED_CROP_SIZE
    if side is None and kind in ("digits", *CIFAR_FILES):
        side = DIGITS_SIZE if kind == "digits" else CIFAR_SIZE
    return (side, side) if side is not None else _first_size(config)


def _first_size(config: DataConfig) -> tuple[int, int]:
    """Height and width of the first training image, from its header."""
    kind = config.source.partition(":")[0]
    if kind == "parquet":
        from fairdarts.data.parquet_columns import first_image

        where, data = first_image(parquet_files(config, "train"), config.image_column)
    else:
        files = class_files(config, "train")
        path = files.directory / next(iter(files.by_class.values()))[0]
        with reading(path):
            where, data = str(path), path.read_bytes()
    return image_size(data, where)
