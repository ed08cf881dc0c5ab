"""Images in Parquet files, as Hugging Face lays them out; the only user of pyarrow here."""

import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from fairdarts.data.decode import StoredSplit, open_image
from fairdarts.errors import DataError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMN = "label"
MAX_CLASSES = 100_000
"""A label beyond this is taken for something else, such as an identifier."""


def parquet_split(files: Sequence[Path]) -> StoredSplit:
    """One split from its shards; labels are read now, images when asked for.

    Args:
        files: The shards in order. Each has a column `img` or `image`, a struct with the file's
            `bytes`, and an integer column `label`.
    Raises:
        DataError: If a file is damaged, a column is missing or a label is null or out of range.
    """
    labels = [_labels(path) for path in files]
    if not any(map(len, labels)):
        raise DataError(f"{files[0]} has no rows: a split needs at least one image.")
    shards = list(zip(files, map(len, labels), strict=True))
    return StoredSplit(torch.from_numpy(np.concatenate(labels)), partial(_read, shards))


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


def _read(
    shards: Sequence[tuple[Path, int]], indices: list[int]
) -> Iterator[tuple[str, Image.Image]]:
    start = 0
    for path, num_rows in shards:
        if rows := _within(indices, start, num_rows):
            yield from _read_rows(path, rows)
        start += num_rows


def _read_rows(path: Path, rows: list[int]) -> Iterator[tuple[str, Image.Image]]:
    with _opened(path) as file:
        column = _image_column(path, file.schema_arrow)
        start = 0
        for group in range(file.num_row_groups):
            num_rows = file.metadata.row_group(group).num_rows
            if rows_of_group := _within(rows, start, num_rows):
                images = file.read_row_group(group, columns=[f"{column}.bytes"]).column(column)
                _check_length(path, column, len(images), num_rows)
                for row in rows_of_group:
                    where = f"{path}, row {start + row}"
                    yield where, open_image((images[row].as_py() or {}).get("bytes") or b"", where)
            start += num_rows


def _within(indices: list[int], start: int, count: int) -> list[int]:
    """Those of the ascending `indices` in start..start+count-1, counted from `start`."""
    first, last = bisect_left(indices, start), bisect_left(indices, start + count)
    return [index - start for index in indices[first:last]]
