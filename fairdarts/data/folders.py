"""Which files of a `folder:` source are its images, and why others are skipped; no torch.

The rule for every split:

- A folder directly in the split's folder is a class. All images in it, at any depth, belong to that
  class; links to files and folders are followed.
- An image is a file whose name ends in one of `IMAGE_SUFFIXES`, in upper or lower case. It is not
  decoded here. If it is damaged, empty or unreadable, an error names it later.
- Everything else is skipped, for one of the reasons in `Reason`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import get_args

from fairdarts.config import DataConfig
from fairdarts.data.files import (
    Split,
    download_root,
    existing_directory,
    is_directory,
    other_splits,
    reading,
    split_names,
)
from fairdarts.errors import DataError

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""How the name of an image ends; torchvision's list."""
HIDDEN_FOLDERS = ("__MACOSX",)
"""Folders that count as hidden without a dot in front; macOS adds this one to archives."""


class Reason(StrEnum):
    """Why a file or folder of a split is skipped."""

    HIDDEN = "hidden"
    """Its name begins with a dot (`.ipynb_checkpoints`, `._0.png`), or is `__MACOSX`."""
    OTHER_NAME = "not named as an image"
    NO_CLASS = "in no class folder"
    LOOP = "link to a folder around it"
    SPECIAL = "not a regular file"
    """A pipe, socket or device, whatever its name."""
    OTHER_SPLIT = "of no split"
    """A Parquet file whose name does not fit a split, see `fairdarts.data.shards`."""


@dataclass(frozen=True)
class Skipped:
    """A file that is skipped, or a folder that is skipped with all its content."""

    path: Path
    reason: Reason


@dataclass(frozen=True)
class ClassFiles:
    """One split of a `folder:` source."""

    directory: Path
    """Where the class folders are."""
    by_class: dict[str, tuple[str, ...]]
    """Classes in order of name, each with its images in order of name: paths below `directory`,
    such as `ant/0.png`."""
    skipped: tuple[Skipped, ...]
    """Files and folders that do not count."""


def class_files(config: DataConfig, split: Split) -> ClassFiles:
    """Find the images of one split of `folder:DIR` or `imagenet`: DIR/SPLIT/CLASS/*.

    `imagenet` is the folder of that name below `download_root()`, in torchvision's layout:
    train/WNID/*.JPEG and val/WNID/*.JPEG.

    Args:
        config: Names the source and its splits.
        split: Which images to find; the other split must have the same classes.
    Raises:
        DataError: If a directory is missing, a class is empty or the splits' classes differ.
    """
    top = _top(config)
    directories = [_split_directory(top, config, name) for name in get_args(Split)]
    train, test = map(_Scan, directories)
    if differing := set(train.class_names) ^ set(test.class_names):
        lacking = [
            f"{scan.directory} has no {', '.join(sorted(missing))}"
            for scan in (train, test)
            if (missing := differing - set(scan.class_names))
        ]
        raise DataError(
            f"{train.directory} and {test.directory} must hold the same classes, but "
            f"{' and '.join(lacking)}."
        )
    return (train if split == "train" else test).files()


def _top(config: DataConfig) -> Path:
    """The folder that holds those of the splits."""
    if config.source != "imagenet":
        directory = config.source.partition(":")[2]
        return existing_directory(directory, "folder", "train/CLASS/* and test/CLASS/*")
    top = download_root() / "imagenet"
    if not is_directory(top):
        raise DataError(
            f"imagenet is missing in {download_root()}: put train/CLASS/*.JPEG and "
            f"val/CLASS/*.JPEG into {top}, or set FAIRDARTS_DATA to the folder that holds imagenet."
        )
    return top


def _split_directory(top: Path, config: DataConfig, split: Split) -> Path:
    names = split_names(config, split)
    for name in names:
        if is_directory(top / name):
            return top / name
    with reading(top), os.scandir(top) as entries:
        there = sorted(entry.name for entry in entries if entry.is_dir() and not _is_hidden(entry))
    raise DataError(
        f"{top} has no folder {' or '.join(names)}, which needs a folder for each class"
        f"{other_splits(config, split, there)}."
    )


class _Scan:
    """Applies the rule to the folder of one split."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.skipped: list[Skipped] = []
        self._above = frozenset([_identity(directory)])
        self.class_names = [entry.name for entry in self._entries(directory) if self._class(entry)]
        if not self.class_names:
            raise DataError(
                f"{directory} has no class folders{self._also(directory)}: it needs one folder of "
                "images for each class."
            )

    def files(self) -> ClassFiles:
        """Look into the class folders as well."""
        by_class = {name: self._images_of(name) for name in self.class_names}
        return ClassFiles(self.directory, by_class, tuple(self.skipped))

    def _images_of(self, name: str) -> tuple[str, ...]:
        folder = self.directory / name
        images = tuple(self._images_below(folder, f"{name}/", self._above | {_identity(folder)}))
        if not images:
            raise DataError(
                f"{folder} has no images{self._also(folder)}: allowed are "
                f"{', '.join(IMAGE_SUFFIXES)}."
            )
        return images

    def _class(self, entry: os.DirEntry[str]) -> bool:
        if entry.is_dir():
            return self._is_open(entry, self._above)
        self._skip(entry, Reason.HIDDEN if _is_hidden(entry) else Reason.NO_CLASS)
        return False

    def _images_below(
        self, folder: Path, prefix: str, above: frozenset[tuple[int, int]]
    ) -> Iterator[str]:
        """Paths of all images in `folder`; `above` identifies it and the folders around it."""
        for entry in self._entries(folder):
            name = f"{prefix}{entry.name}"
            if entry.is_dir():
                if self._is_open(entry, above):
                    inside = Path(entry.path)
                    yield from self._images_below(inside, f"{name}/", above | {_identity(inside)})
            elif _is_hidden(entry):
                self._skip(entry, Reason.HIDDEN)
            elif not entry.name.lower().endswith(IMAGE_SUFFIXES):
                self._skip(entry, Reason.OTHER_NAME)
            # A broken link counts as an image, so that reading it gives an error that names it.
            elif entry.is_file() or not Path(entry.path).exists():
                yield name
            else:
                self._skip(entry, Reason.SPECIAL)

    def _is_open(self, entry: os.DirEntry[str], above: frozenset[tuple[int, int]]) -> bool:
        """Whether to look into a folder; if not, the reason is noted."""
        if _is_hidden(entry):
            self._skip(entry, Reason.HIDDEN)
        elif entry.is_symlink() and _identity(Path(entry.path)) in above:
            self._skip(entry, Reason.LOOP)
        else:
            return True
        return False

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        with reading(folder), os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)

    def _skip(self, entry: os.DirEntry[str], reason: Reason) -> None:
        self.skipped.append(Skipped(Path(entry.path), reason))

    def _also(self, folder: Path) -> str:
        """What was skipped in `folder`, for an error message."""
        here = [skipped for skipped in self.skipped if folder in skipped.path.parents]
        return f" (skipped: {describe(here)})" if here else ""


def describe(skipped: list[Skipped], num_names: int = 3) -> str:
    """Number and first names by reason, as in "2 hidden (.a, .b), 1 of no split (x)"."""
    parts = []
    for reason in Reason:
        names = [one.path.name for one in skipped if one.reason == reason]
        if names:
            more = ", ..." if len(names) > num_names else ""
            parts.append(f"{len(names)} {reason} ({', '.join(names[:num_names])}{more})")
    return ", ".join(parts)


def _is_hidden(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") or entry.name in HIDDEN_FOLDERS


def _identity(folder: Path) -> tuple[int, int]:
    with reading(folder):
        status = folder.stat()
    return status.st_dev, status.st_ino
