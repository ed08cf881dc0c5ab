"""Where the files of a data set lie: shared by loading and fingerprinting, without torch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fairdarts.errors import DataError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What counts as an image in a `folder:` source; torchvision's list."""
TEST_NAMES = ("test", "validation", "val")
"""How the test split may be called, in order of preference."""


@dataclass(frozen=True)
class ParquetFiles:
    """The shards of both splits, each in order of name."""

    train: tuple[Path, ...]
    test: tuple[Path, ...]


@dataclass(frozen=True)
class ClassFiles:
    """One split of a `folder:` source: its classes and their images, both in order of name."""

    directory: Path
    by_class: dict[str, tuple[Path, ...]]


def download_root() -> Path:
    """Where CIFAR archives are kept: $FAIRDARTS_DATA, else ~/.cache/fairdarts."""
    return Path(os.environ.get("FAIRDARTS_DATA") or "~/.cache/fairdarts").expanduser()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn a failure to read `path` inside the block into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def parquet_files(directory: str) -> ParquetFiles:
    """Find the Parquet files of a `parquet:` source.

    Args:
        directory: DIR of the source; the files lie in it or in its `data` folder.
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
            return ParquetFiles(train, test)
    wanted = ", ".join(f"{name}*.parquet" for name in TEST_NAMES)
    raise DataError(f"parquet:{directory} has no test images in {place}: it needs one of {wanted}.")


def folder_files(directory: str) -> tuple[ClassFiles, ClassFiles]:
    """Find the images of a `folder:` source: DIR/train/CLASS/* and DIR/test/CLASS/*.

    Raises:
        DataError: If a directory is missing, a class is empty or the splits' classes differ.
    """
    top = _existing(directory, "folder", "train/CLASS/* and test/CLASS/*")
    train = _class_files(_split_directory(top, ("train",)))
    test = _class_files(_split_directory(top, TEST_NAMES))
    if differing := train.by_class.keys() ^ test.by_class.keys():
        raise DataError(
            f"{train.directory} and {test.directory} must hold the same classes, but only one of "
            f"them has {', '.join(sorted(differing))}."
        )
    return train, test


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


def _class_files(directory: Path) -> ClassFiles:
    folders = sorted(
        path for path in directory.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if not folders:
        raise DataError(f"{directory} has no class folders: it needs one folder of images a class.")
    by_class = {}
    for folder in folders:
        images = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        if not images:
            raise DataError(f"{folder} has no images: allowed are {', '.join(IMAGE_SUFFIXES)}.")
        by_class[folder.name] = tuple(images)
    return ClassFiles(directory, by_class)
