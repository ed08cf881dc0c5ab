"""Images in Parquet files, read by row groups."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from fairdarts.data.parquet_columns import image_column, image_files, opened
from fairdarts.data.splits import Encoded, FileSplit

WINDOW_IMAGES = 4096
"""Images that `ParquetSplit` shuffles and holds at a time; of ImageNet these take 0.5 GB."""


class RowGroup(NamedTuple):
    """A part of a Parquet file that is read as a whole."""

    path: Path
    number: int
    """Its position in the file, from 0."""
    first_row: int
    """Number of its first row in the file."""
    num_rows: int
    image_column: str


class ParquetSplit(FileSplit):
    """Images in row groups; only a window of them is in memory at a time."""

    def __init__(
        self, labels: Tensor, groups: Sequence[RowGroup], window: int = WINDOW_IMAGES
    ) -> None:
        """Take the labels, int64, (N,), and the row groups that hold the images, in order.

        `window` is how many images are shuffled, and so kept in memory, at a time.
        """
        self.labels = labels
        self._groups = groups
        self._window = window
        self._starts = torch.tensor([0, *(group.num_rows for group in groups)]).cumsum(0)[:-1]

    def shuffled(self, indices: Tensor, chance: torch.Generator) -> Tensor:
        """Row groups in random order, and images at random from a window that slides over them.

        In this order `encoded` reads each row group once, and holds at most the images of the
        window and of one row group.
        """
        parts = [part for part in self._by_group(indices) if len(part)]
        window, drawn = indices[:0], []
        for number in torch.randperm(len(parts), generator=chance).tolist():
            window = torch.cat([window, parts[number]])
            # index_select uses one thread; indexing would start all of them for few numbers.
            window = window.index_select(0, torch.randperm(len(window), generator=chance))
            surplus = max(0, len(window) - self._window)
            drawn.append(window[:surplus])
            window = window[surplus:]
        return torch.cat([*drawn, window])

    def encoded(self, indices: Tensor) -> Iterator[Encoded]:
        """See `FileSplit.encoded`; a row group is read when its first image is needed."""
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
        path, number_in_file, first_row, _, column = self._groups[number]
        start = int(self._starts[number])
        with opened(path) as file:
            images = image_files(path, column, file, number_in_file)
            return {
                index: Encoded(
                    f"{path}, row {first_row + index - start}",
                    images[index - start].as_py() or b"",
                )
                for index in indices
            }


def parquet_split(files: Sequence[Path], labels: Tensor, image_column: str | None) -> ParquetSplit:
    """One split from its files; images are read when they are needed.

    Args:
        files: The files in order.
        labels: int64, (N,), of all rows in that order.
        image_column: Column of the images; None: found by its name or type.
    Raises:
        DataError: If a file is damaged or has no such column.
    """
    return ParquetSplit(labels, [group for path in files for group in _groups(path, image_column)])


def _groups(path: Path, wanted: str | None) -> Iterator[RowGroup]:
    with opened(path) as file:
        column = image_column(path, file.schema_arrow, wanted)
        first_row = 0
        for number in range(file.num_row_groups):
            num_rows = file.metadata.row_group(number).num_rows
            yield RowGroup(path, number, first_row, num_rows, column)
            first_row += num_rows
