"""Images in Parquet files, as Hugging Face lays them out; the only user of pyarrow here."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from fairdarts.data.splits import Encoded, FileSplit
from fairdarts.errors import DataError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMN = "label"
MAX_CLASSES = 100_000
"""A label beyond this is taken for something else, such as an identifier."""


WINDOW_IMAGES = 4096
"""Images that `ParquetSplit` shuffles and holds at a time: 0.5 GB of ImageNet's."""


class RowGroup(NamedTuple):
    """A part of a Parquet file that is read as a whole."""

    path: Path
    number: int
    """Which one of the file."""
    first_row: int
    """Of the file."""
    num_rows: int


class ParquetSplit(FileSplit):
    """Images in row groups; never more than a window of them is in memory."""

    def __init__(
        self, labels: Tensor, groups: Sequence[RowGroup], window: int = WINDOW_IMAGES
    ) -> None:
        """Take the labels, int64, (N,), and the row groups that hold the images, in order.

        `window` is how many images are shuffled, and so held, at a time.
        """
        self.labels = labels
        self._groups = groups
        self._window = window
        self._starts = torch.tensor([0, *(group.num_rows for group in groups)]).cumsum(0)[:-1]

    def shuffled(self, indices: Tensor, chance: torch.Generator) -> Tensor:
        """Row groups by chance, and images by chance out of a window that slides over them.

        In this order `encoded` reads each row group once and holds no more images than the window
        and one row group have.
        """
        parts = [part for part in self._by_group(indices) if len(part)]
        window, drawn = indices[:0], []
        for number in torch.randperm(len(parts), generator=chance).tolist():
            window = torch.cat([window, parts[number]])
            # index_select stays on one thread; indexing would start them all for these few.
            window = window.index_select(0, torch.randperm(len(window), generator=chance))
            surplus = max(0, len(window) - self._window)
            drawn.append(window[:surplus])
            window = window[surplus:]
        return torch.cat([*drawn, window])

    def encoded(self, indices: Tensor) -> Iterator[Encoded]:
        """See `FileSplit.encoded`; a row group is read when the first of its images is due."""
        parts = self._by_group(indices)
        held: dict[int, Encoded] = {}
        for index, number in zip(indices.tolist(), self._group_of(indices).tolist(), strict=True):
            if index not in held:
                held |= self._read(number, parts[number].tolist())
            yield held.pop(index)

    def _group_of(self, indices: Tensor) -> Tensor:
        return torch.searchsorted(self._starts, indices.contiguous(), right=True) - 1

    def _by_group(self, indices: Tensor) -> tuple[Tensor, ...]:
        groups = self._group_of(indices)
        sizes = torch.bincount(groups, minlength=len(self._groups))
        by_group = indices[torch.argsort(groups, stable=True)]
        return torch.split(by_group, sizes.tolist())

    def _read(self, number: int, indices: list[int]) -> dict[int, Encoded]:
        path, number_in_file, first_row, num_rows = self._groups[number]
        start = int(self._starts[number])
        with _opened(path) as file:
            column = _image_column(path, file.schema_arrow)
            images = file.read_row_group(number_in_file, columns=[f"{column}.bytes"]).column(column)
            _check_length(path, column, len(images), num_rows)
            return {
                index: Encoded(
                    f"{path}, row {first_row + index - start}",
                    (images[index - start].as_py() or {}).get("bytes") or b"",
                )
                for index in indices
            }


def parquet_split(files: Sequence[Path]) -> ParquetSplit:
    """One split from its shards; labels are read now, images when asked for.

    Args:
        files: The shards in order. Each has a column `img` or `image`, a struct with the file's
            `bytes`, and an integer column `label`.
    Raises:
        DataError: If a file is damaged, a column is missing or a label is null or out of range.
    """
    labels = np.concatenate([_labels(path) for path in files])
    if not len(labels):
        raise DataError(f"{files[0]} has no rows: a split needs at least one image.")
    groups = [group for path in files for group in _row_groups(path)]
    return ParquetSplit(torch.from_numpy(labels), groups)


def stored_class_names(path: Path) -> tuple[str, ...] | None:
    """The class names in the Hugging Face metadata of a file, if it has any."""
    with _opened(path) as file:
        metadata = file.schema_arrow.metadata or {}
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return tuple(map(str, features[LABEL_COLUMN]["names"]))
    except (KeyError, TypeError, ValueError):
        return None  # The names are decoration: other layouts of the metadata are no fault.


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    # A damaged footer also shows as names that are no text.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} is no readable Parquet file, fetch it again: {reason}.") from error


def _image_column(path: Path, schema: pa.Schema) -> str:
    for name in IMAGE_COLUMNS:
        if name in schema.names:
            kind = schema.field(name).type
            if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
                return name
            raise DataError(f"{path}: column {name} is {kind}, but must be a struct with `bytes`.")
    raise DataError(
        f"{path} has no column {' or '.join(IMAGE_COLUMNS)}; it has: {', '.join(schema.names)}."
    )


def _check_length(path: Path, column: str, length: int, num_rows: int) -> None:
    # pyarrow hands out a column that ends early, as a damaged page header makes it, without a word.
    if length != num_rows:
        raise DataError(
            f"{path} is damaged, fetch it again: column {column} has {length} values for "
            f"{num_rows} rows."
        )


def _labels(path: Path) -> npt.NDArray[np.int64]:
    with _opened(path) as file:
        schema = file.schema_arrow
        _image_column(path, schema)
        if LABEL_COLUMN not in schema.names:
            raise DataError(
                f"{path} has no column {LABEL_COLUMN}; it has: {', '.join(schema.names)}."
            )
        if not pa.types.is_integer(schema.field(LABEL_COLUMN).type):
            kind = schema.field(LABEL_COLUMN).type
            raise DataError(f"{path}: column {LABEL_COLUMN} is {kind}, but must be an integer.")
        column = file.read(columns=[LABEL_COLUMN]).column(LABEL_COLUMN)
        _check_length(path, LABEL_COLUMN, len(column), file.metadata.num_rows)
    missing = column.is_null().to_numpy()
    values = column.fill_null(0).to_numpy()
    if (wrong := missing | (values < 0) | (values >= MAX_CLASSES)).any():
        row = int(wrong.argmax())
        given = "null" if missing[row] else values[row]
        raise DataError(
            f"{path}, row {row}: label (={given}) must be an integer in 0..{MAX_CLASSES - 1}."
        )
    labels: npt.NDArray[np.int64] = values.astype(np.int64)
    return labels


def _row_groups(path: Path) -> Iterator[RowGroup]:
    with _opened(path) as file:
        first_row = 0
        for number in range(file.num_row_groups):
            num_rows = file.metadata.row_group(number).num_rows
            yield RowGroup(path, number, first_row, num_rows)
            first_row += num_rows
