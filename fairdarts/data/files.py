"""Where the files of a data set lie: shared by loading and fingerprinting, without torch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fairdarts.errors import DataError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What counts as an image in a `folder:` source; torchvision's list."""
Split = Literal["train", "test"]
TEST_NAMES = ("test", "validation", "val")
"""How the test split may be called, in order of preference."""
CIFAR_FILES: dict[str, tuple[str, ...]] = {
    "cifar10": (
        *(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)),
        "cifar-10-batches-py/test_batch",
        "cifar-10-batches-py/batches.meta",
    ),
    "cifar100": ("cifar-100-python/train", "cifar-100-python/test", "cifar-100-python/meta"),
}
"""What torchvision unpacks from the archives and reads, below `download_root()`."""


@dataclass(frozen=True)
class ClassFiles:
    """One split of a `folder:` source: its classes and their images, both in order of name."""

    directory: Path
    by_class: dict[str, tuple[Path, ...]]


def download_root() -> Path:
    """Where CIFAR archives are kept: $FAIRDARTS_DATA, else ~/.cache/fairdarts."""
    return Path(os.environ.get("FAIRDARTS_DATA") or "~/.cache/fairdarts").expanduser()


def check_cifar(kind: str) -> None:
    """See to it that the files of `cifar10` or `cifar100` are there; their content is not read.

    Raises:
        DataError: If one is missing.
    """
    if not all((download_root() / name).is_file() for name in CIFAR_FILES[kind]):
        raise unusable_cifar(kind)


def unusable_cifar(kind: str) -> DataError:
    """Say where CIFAR was looked for and how to get it."""
    return DataError(
        f"{kind} is missing or damaged in {download_root()}: fetch it with `fairdarts doctor "
        f"--download {kind}`, or set FAIRDARTS_DATA to where it lies."
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn a failure to read `path` inside the block into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def parquet_files(directory: str, split: Split) -> tuple[Path, ...]:
    """Find the Parquet files of one split of a `parquet:` source, in order of name.

    Args:
        directory: DIR of the source; the files lie in it or in its `data` folder.
        split: Which files to return; those of the other must be there too.
    Raises:
        DataError: If the directory or the files of a split are missing.
    """
    top = _existing(directory, "parquet", "train*.parquet and test*.parquet")
    for place in (top, top / "data"):
        if train := tuple(sorted(place.glob("train*.parquet"))):
            break
    else:
        raise DataError(f"parquet:{directory} has no train*.parquet in {top} or {top / 'data'}.")
    for name in TEST_NAMES:
        if test := tuple(sorted(place.glob(f"{name}*.parquet"))):
            return train if split == "train" else test
    wanted = ", ".join(f"{name}*.parquet" for name in TEST_NAMES)
    raise DataError(f"parquet:{directory} has no test images in {place}: it needs one of {wanted}.")


def class_files(source: str, split: Split) -> ClassFiles:
    """Find the images of one split of `folder:DIR` or `imagenet`.

    `imagenet` lies in the folder of that name below `download_root()`, laid out as torchvision has
    it: train/WNID/*.JPEG and val/WNID/*.JPEG.

    Args:
        source: One of the two.
        split: Which images to find; the other split must have the same classes.
    Raises:
        DataError: If a directory is missing, a class is empty or the splits' classes differ.
    """
    if source != "imagenet":
        return folder_files(source.partition(":")[2], split)
    top = download_root() / "imagenet"
    if not top.is_dir():
        raise DataError(
            f"imagenet is missing in {download_root()}: put train/CLASS/*.JPEG and "
            f"val/CLASS/*.JPEG into {top}, or set FAIRDARTS_DATA to where imagenet lies."
        )
    return folder_files(str(top), split)


def folder_files(directory: str, split: Split) -> ClassFiles:
    """Find the images of one split of a `folder:` source: DIR/train/CLASS/* or DIR/test/CLASS/*.

    Args:
        directory: DIR of the source.
        split: Which images to find; the other split must have the same classes.
    Raises:
        DataError: If a directory is missing, a class is empty or the splits' classes differ.
    """
    top = _existing(directory, "folder", "train/CLASS/* and test/CLASS/*")
    train, test = _split_directory(top, ("train",)), _split_directory(top, TEST_NAMES)
    train_folders, test_folders = _class_folders(train), _class_folders(test)
    if differing := train_folders.keys() ^ test_folders.keys():
        raise DataError(
            f"{train} and {test} must hold the same classes, but only one of them has "
            f"{', '.join(sorted(differing))}."
        )
    if split == "train":
        return ClassFiles(train, _images_by_class(train_folders))
    return ClassFiles(test, _images_by_class(test_folders))


def _existing(directory: str, kind: str, content: str) -> Path:
    path = Path(directory).expanduser().absolute()
    if not path.is_dir():
        raise DataError(
            f"{kind}:{directory} names no directory (looked at {path}): give the one that holds "
            f"{content}."
        )
    return path


def _split_directory(top: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (top / name).is_dir():
            return top / name
    raise DataError(f"{top} has no folder {' or '.join(names)}, with one folder of images a class.")


def _class_folders(directory: Path) -> dict[str, Path]:
    folders = sorted(
        path for path in directory.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if not folders:
        raise DataError(f"{directory} has no class folders: it needs one folder of images a class.")
    return {folder.name: folder for folder in folders}


def _images_by_class(folders: dict[str, Path]) -> dict[str, tuple[Path, ...]]:
    by_class = {}
    for name, folder in folders.items():
        images = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        if not images:
            raise DataError(f"{folder} has no images: allowed are {', '.join(IMAGE_SUFFIXES)}.")
        by_class[name] = tuple(images)
    return by_class
