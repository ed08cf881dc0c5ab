"""Labels of the images in Parquet files, matched by the names of their classes; no torch.

A label is a number, which may have a name in Hugging Face's metadata, or a text, which is itself
the name. Classes are numbered as in the metadata of the first training file, or in the order of the
sorted texts of all training files. The labels of all other files are matched to these by name.
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fairdarts.config_data import NAMES_IN_FILES, DataConfig
from fairdarts.data.files import Split, reading
from fairdarts.data.parquet_columns import (
    MISSING,
    class_names,
    image_column,
    is_text,
    label_column,
    numbers,
    opened,
    texts,
)
from fairdarts.data.shards import other_test_splits, parquet_files
from fairdarts.errors import DataError

MAX_NAMES = 5
"""An error lists at most this many class names."""


class NamedBy(StrEnum):
    """Where the names of classes come from."""

    NUMBERS = "numbers without names"
    METADATA = "numbers with names"
    TEXTS = "texts"


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of a file or of a split."""

    path: Path
    """The file, or the first one."""
    indices: npt.NDArray[np.int64]
    """(N,), each an index into `class_names`, or `MISSING`."""
    class_names: tuple[str, ...]
    named_by: NamedBy

    def counts(self) -> list[int]:
        """How many images each class has."""
        found: list[int] = np.bincount(self.indices, minlength=len(self.class_names)).tolist()
        return found

    def matched_to(self, names: tuple[str, ...]) -> "Labels":
        """The same labels, as indices into `names`, which must include all of our names."""
        if names == self.class_names:
            return self
        place = {name: index for index, name in enumerate(names)}
        # MISSING is -1, so it selects the last entry of this table, which is MISSING again.
        table = np.array([*(place[name] for name in self.class_names), MISSING], np.int64)
        return replace(self, indices=table[self.indices], class_names=names)


def parquet_labels(config: DataConfig, split: Split) -> Labels:
    """The labels of one split, as indices into the class names of the training images.

    Raises:
        DataError: If a file is damaged, a column is missing, a label is missing or has no name, or
            the classes of the files differ.
    """
    train = parquet_files(config, "train")
    with opened(train[0]) as file:
        column = label_column(train[0], file.schema_arrow, config.label_column)
    names = config.model_dump(include=NAMES_IN_FILES.keys() | {"source"})
    labels = _training_labels(DataConfig(**names), column, tuple(map(_look, train)))
    if split == "test":
        parts = _parts(parquet_files(config, "test"), column, config, "test")
        labels = _joined([_matched(labels, part) for part in parts])
    return labels


# Cached, because those of ImageNet take three seconds and its test split needs them too.
@lru_cache(maxsize=2)
def _training_labels(config: DataConfig, column: str, looks: tuple[object, ...]) -> Labels:
    """The labels of the training files; `looks` makes the cache miss when a file has changed."""
    return _of_training(_parts(parquet_files(config, "train"), column, config, "train"))


def _look(path: Path) -> tuple[int, int, int]:
    with reading(path):
        status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def class_orders(config: DataConfig, split: Split) -> list[tuple[str, ...]]:
    """Class names of the files of a split, where they differ from the first training file's.

    The same names in another order differ, too. A file that cannot be read is skipped here; reading
    its images gives the error.
    """
    orders = []
    with contextlib.suppress(DataError):
        train = parquet_files(config, "train")
        with opened(train[0]) as file:
            column = label_column(train[0], file.schema_arrow, config.label_column)
            expected = class_names(file.schema_arrow, column)
        for path in train if split == "train" else parquet_files(config, "test"):
            with opened(path) as file:
                names = class_names(file.schema_arrow, column)
            if expected and names and names != expected:
                orders.append(names)
    return orders


def _parts(files: Sequence[Path], column: str, config: DataConfig, split: Split) -> list[Labels]:
    """The labels of each file of a split; checks that there are some and that none is missing."""
    parts = [_of_file(path, column, config) for path in files]
    missing = [part.indices == MISSING for part in parts]
    if not any(len(part) for part in missing):
        raise DataError(f"{files[0]} has no rows: a split needs at least one image.")
    if all(part.all() for part in missing):
        choice = other_test_splits(config) if split == "test" else ""
        raise DataError(
            f"{files[0]} has no labels to {split} on: column {column} is -1 or empty in every row"
            f"{choice}."
        )
    for path, part in zip(files, missing, strict=True):
        if part.any():
            raise DataError(
                f"{path}, row {int(part.argmax())} has no label (column {column} is -1 or empty), "
                f"like {int(part.sum()) - 1} others of the file: label these images, or leave them "
                "out."
            )
    return parts


def _of_file(path: Path, column: str, config: DataConfig) -> Labels:
    with opened(path) as file:
        schema = file.schema_arrow
        image_column(path, schema, config.image_column)
        if column not in schema.names:
            raise DataError(
                f"{path} has no column {column}, which holds the labels of the training images"
                f"{other_test_splits(config)}."
            )
        label_column(path, schema, column)
        if is_text(schema.field(column).type):
            return Labels(path, *texts(path, column, file), NamedBy.TEXTS)
        found = numbers(path, column, file)
        names = class_names(schema, column)
    highest = int(found.max(initial=MISSING))
    if names is None:
        return Labels(path, found, tuple(map(str, range(highest + 1))), NamedBy.NUMBERS)
    if highest >= len(names):
        raise DataError(
            f"{path}, row {int(found.argmax())}: {column} (={highest}) has no name, because "
            f"the metadata name {len(names)} classes: correct the label or the metadata."
        )
    return Labels(path, found, names, NamedBy.METADATA)


def _of_training(parts: Sequence[Labels]) -> Labels:
    """The labels of the training files, which define the classes."""
    first = parts[0]
    if first.named_by is NamedBy.METADATA:
        return _joined([_matched(first, part) for part in parts])
    for part in parts:
        _check_alike(first, part)
    if first.named_by is NamedBy.TEXTS:
        names = tuple(sorted({name for part in parts for name in part.class_names}))
    else:
        names = max((part.class_names for part in parts), key=len)
    return _joined([part.matched_to(names) for part in parts])


def _joined(parts: Sequence[Labels]) -> Labels:
    """The labels of files with the same class names, one after the other."""
    return replace(parts[0], indices=np.concatenate([part.indices for part in parts]))


def _matched(train: Labels, other: Labels) -> Labels:
    """Labels of another file, as indices into the class names of the training images.

    Raises:
        DataError: If its classes are not those of the training images.
    """
    _check_alike(train, other)
    if NamedBy.NUMBERS in (train.named_by, other.named_by):  # Only the numbers can be compared.
        if (highest := int(other.indices.max(initial=MISSING))) >= len(train.class_names):
            raise DataError(
                f"{other.path}, row {int(other.indices.argmax())} has the label {highest}, but the "
                f"training files have {len(train.class_names)} classes: correct the labels, or the "
                "class names in their metadata."
            )
        return replace(other, class_names=train.class_names)
    if other.class_names == train.class_names:
        return other
    unknown = set(other.class_names) - set(train.class_names)
    # A file of texts may happen to have no image of a class.
    lacking = set(train.class_names) - set(other.class_names)
    if other.named_by is NamedBy.TEXTS:
        lacking = set()
    if unknown or lacking:
        faults = [f"has {_few(unknown)}, which the training images lack"] if unknown else []
        faults += [f"lacks {_few(lacking)}"] if lacking else []
        raise DataError(
            f"{other.path} and the training images ({train.path}) must have the same classes, but "
            f"it {', and '.join(faults)}: correct the names, or choose other splits."
        )
    for labels in (train, other):
        name, count = Counter(labels.class_names).most_common(1)[0]
        if count > 1:
            raise DataError(
                f"{labels.path} names {count} classes {name!r}, and {other.path} has the classes "
                "in another order than the training images: give each a name of its own."
            )
    return other.matched_to(train.class_names)


def _check_alike(train: Labels, other: Labels) -> None:
    kinds = {train.named_by, other.named_by}
    if kinds == {NamedBy.TEXTS, NamedBy.NUMBERS}:
        raise DataError(
            f"the labels in {train.path} are {train.named_by}, those in {other.path} "
            f"{other.named_by}: they cannot be matched, so write both in the same way."
        )


def _few(names: set[str]) -> str:
    shown = sorted(names)[:MAX_NAMES]
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(shown) + more
