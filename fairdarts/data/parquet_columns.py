"""Columns of Parquet files of images, as Hugging Face lays them out; no torch.

Sweeps are planned with what this reads: labels and names, never an image.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from fairdarts.errors import DataError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMN = "label"
MAX_CLASSES = 100_000
"""A label beyond this is taken for something else, such as an identifier."""


def stored_class_names(path: Path) -> tuple[str, ...] | None:
    """The class names in the Hugging Face metadata of a file, if it has any."""
    with opened(path) as file:
        metadata = file.schema_arrow.metadata or {}
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return tuple(map(str, features[LABEL_COLUMN]["names"]))
    except (KeyError, TypeError, ValueError):
        return None  # The names are decoration: other layouts of the metadata are no fault.


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file for the length of the block.

    Raises:
        DataError: If it is damaged.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    # A damaged footer also shows as names that are no text.
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} is no readable Parquet file, fetch it again: {reason}.") from error


def image_column(path: Path, schema: pa.Schema) -> str:
    """The name of the column that holds the images.

    Raises:
        DataError: If there is none, or it does not hold image files.
    """
    for name in IMAGE_COLUMNS:
        if name in schema.names:
            kind = schema.field(name).type
            if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
                return name
            raise DataError(f"{path}: column {name} is {kind}, but must be a struct with `bytes`.")
    raise DataError(
        f"{path} has no column {' or '.join(IMAGE_COLUMNS)}; it has: {', '.join(schema.names)}."
    )


def check_length(path: Path, column: str, length: int, num_rows: int) -> None:
    """See to it that a column that was read has a value for every row.

    Raises:
        DataError: If it has not.
    """
    # pyarrow hands out a column that ends early, as a damaged page header makes it, without a word.
    if length != num_rows:
        raise DataError(
            f"{path} is damaged, fetch it again: column {column} has {length} values for "
            f"{num_rows} rows."
        )


def stored_labels(path: Path) -> npt.NDArray[np.int64]:
    """Labels of all rows of a file, int64, (rows,).

    Raises:
        DataError: If a column is missing or of another type, or a label is null or out of range.
    """
    with opened(path) as file:
        schema = file.schema_arrow
        image_column(path, schema)
        if LABEL_COLUMN not in schema.names:
            raise DataError(
                f"{path} has no column {LABEL_COLUMN}; it has: {', '.join(schema.names)}."
            )
        if not pa.types.is_integer(schema.field(LABEL_COLUMN).type):
            kind = schema.field(LABEL_COLUMN).type
            raise DataError(f"{path}: column {LABEL_COLUMN} is {kind}, but must be an integer.")
        column = file.read(columns=[LABEL_COLUMN]).column(LABEL_COLUMN)
        check_length(path, LABEL_COLUMN, len(column), file.metadata.num_rows)
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


def class_counts(files: Sequence[Path]) -> list[int]:
    """Images of each class in the shards of a split.

    Raises:
        DataError: If there is none, or a file or column cannot be used, see `stored_labels`.
    """
    labels = np.concatenate([stored_labels(path) for path in files])
    if not len(labels):
        raise DataError(f"{files[0]} has no rows: a split needs at least one image.")
    names = stored_class_names(files[0]) or ()
    counts: list[int] = np.bincount(labels, minlength=len(names)).tolist()
    return counts


def first_image(files: Sequence[Path]) -> tuple[str, bytes]:
    """Where the first image of a split lies, and its file.

    Raises:
        DataError: If there is none, or its file cannot be used.
    """
    for path in files:
        with opened(path) as file:
            column = image_column(path, file.schema_arrow)
            for batch in file.iter_batches(batch_size=1, columns=[f"{column}.bytes"]):
                image = batch.column(0)[0].as_py() or {}
                return f"{path}, row 0", image.get("bytes") or b""
    raise DataError(f"{files[0]} has no rows: a split needs at least one image.")
