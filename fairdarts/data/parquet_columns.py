"""Columns of Parquet files of images: which holds what, and how it is read; no torch.

Sweeps are planned with what this reads: labels and names, never an image.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fairdarts.data.files import remedy
from fairdarts.errors import DataError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMN = "label"
"""What columns are called by most; others are taken where there is only one that can be."""
MAX_CLASSES = 100_000
"""A label beyond this is taken for something else, such as an identifier."""
MISSING = -1
"""Label of an image without one, as Hugging Face has it."""


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
        raise DataError(
            f"{path} is not a readable Parquet file, fetch it again: {reason}."
        ) from error


def image_column(path: Path, schema: pa.Schema, wanted: str | None) -> str:
    """The name of the column that holds the images: image files, as bytes or in a struct.

    Args:
        path: The file, for an error.
        schema: Its schema.
        wanted: The column that the settings name, if they do.
    Raises:
        DataError: If there is none, or more than one and the settings do not choose.
    """
    can_be = [field.name for field in schema if _holds_images(field.type)]
    guesses = [name for name in IMAGE_COLUMNS if name in can_be][:1] or can_be
    what = "images (image files, as bytes or as a struct with `bytes`)"
    return _choose(path, schema, "data.image_column", wanted, can_be, guesses, what)


def label_column(path: Path, schema: pa.Schema, wanted: str | None) -> str:
    """The name of the column that holds the labels: numbers or texts; arguments as above.

    Raises:
        DataError: If there is none, or more than one and the settings do not choose.
    """
    can_be = [field.name for field in schema if _holds_labels(field.type)]
    named = [name for name in can_be if class_names(schema, name)]
    guesses = [LABEL_COLUMN] if LABEL_COLUMN in can_be else named or can_be
    what = "labels (whole numbers or texts)"
    return _choose(path, schema, "data.label_column", wanted, can_be, guesses, what)


def class_names(schema: pa.Schema, column: str) -> tuple[str, ...] | None:
    """The class names of a label column in Hugging Face's metadata, if there are any."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        names = features[column]["names"]
    except (KeyError, TypeError, ValueError):
        return None  # Other layouts of the metadata are no fault: the names are decoration.
    return tuple(map(str, names)) if isinstance(names, list) and names else None


def image_files(path: Path, column: str, file: pq.ParquetFile, group: int) -> pa.ChunkedArray:
    """The image files in a row group, as binary values; null where there is none.

    Raises:
        DataError: If the column is damaged.
    """
    is_struct = pa.types.is_struct(file.schema_arrow.field(column).type)
    # Of a struct only this part is read.
    values = file.read_row_group(group, [f"{column}.bytes" if is_struct else column]).column(column)
    _check_length(path, column, len(values), file.metadata.row_group(group).num_rows)
    return pc.struct_field(values, "bytes") if is_struct else values


def first_image(files: Sequence[Path], wanted: str | None) -> tuple[str, bytes]:
    """Where the first image of some files lies, and what it is.

    Raises:
        DataError: If there is none, or its column cannot be used, see `image_column`.
    """
    for path in files:
        with opened(path) as file:
            column = image_column(path, file.schema_arrow, wanted)
            for group in range(file.num_row_groups):
                for image in image_files(path, column, file, group):
                    return f"{path}, row 0", image.as_py() or b""
    raise DataError(f"{files[0]} has no rows: a split needs at least one image.")


def numbers(path: Path, column: str, file: pq.ParquetFile) -> npt.NDArray[np.int64]:
    """A label column of numbers, int64, (rows,); `MISSING` where there is none.

    Raises:
        DataError: If the column is damaged, or a number cannot be a label.
    """
    values = _values(path, column, file)
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    missing = values.is_null().to_numpy()
    found = values.fill_null(0).to_numpy()
    if (wrong := (found < MISSING) | (found >= MAX_CLASSES)).any():
        row = int(wrong.argmax())
        raise DataError(
            f"{path}, row {row}: {column} (={found[row]}) must be an integer in "
            f"0..{MAX_CLASSES - 1}, or -1 where there is none."
        )
    labels: npt.NDArray[np.int64] = found.astype(np.int64)
    labels[missing] = MISSING
    return labels


def texts(
    path: Path, column: str, file: pq.ParquetFile
) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """A label column of texts: int64, (rows,), indices into the texts, which are sorted.

    `MISSING` is where there is none, or an empty one.

    Raises:
        DataError: If the column is damaged.
    """
    encoded = _values(path, column, file).cast(pa.string()).combine_chunks().dictionary_encode()
    found = encoded.dictionary.to_pylist()
    names = sorted(filter(None, found))
    place = {name: index for index, name in enumerate(names)}
    # One more for nulls, which are at the end of this table by an index of -1.
    table = np.array([*(place.get(name, MISSING) for name in found), MISSING], np.int64)
    indices = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    return table[indices], tuple(names)


def is_text(kind: pa.DataType) -> bool:
    """Whether labels of this type are texts."""
    return _plain(kind) in (pa.string(), pa.large_string(), pa.string_view())


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and _holds_images(kind.field(index).type)
    return kind in (pa.binary(), pa.large_binary(), pa.binary_view())


def _holds_labels(kind: pa.DataType) -> bool:
    kind = _plain(kind)
    return is_text(kind) or bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values, which a dictionary (pandas: a category) holds once each."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _choose(
    path: Path,
    schema: pa.Schema,
    setting: str,
    wanted: str | None,
    can_be: Sequence[str],
    guesses: Sequence[str],
    what: str,
) -> str:
    """The column of a setting: the one that is wanted, or the only guess."""
    if wanted is not None and wanted in can_be:
        return wanted
    if wanted is None and len(guesses) == 1:
        return guesses[0]
    if wanted is not None:
        kinds = [str(field.type) for field in schema if field.name == wanted]
        fault = f"column {wanted} is {kinds[0]}" if kinds else f"there is no column {wanted}"
        raise DataError(
            f"{path}: {fault}, but {setting} must name {what}{remedy(setting, can_be)}."
        )
    if guesses:
        raise DataError(f"{path} has {len(guesses)} columns of {what}{remedy(setting, guesses)}.")
    there = ", ".join(f"{field.name} ({field.type})" for field in schema)
    raise DataError(f"{path} has no column of {what}; it has: {there}.")


def _values(path: Path, column: str, file: pq.ParquetFile) -> pa.ChunkedArray:
    values = file.read(columns=[column]).column(column)
    _check_length(path, column, len(values), file.metadata.num_rows)
    plain = _plain(values.type)
    return values if plain == values.type else values.cast(plain)


def _check_length(path: Path, column: str, length: int, num_rows: int) -> None:
    # pyarrow hands out a column that ends early, as a damaged page header makes it, without a word.
    if length != num_rows:
        raise DataError(
            f"{path} is damaged, fetch it again: column {column} has {length} values for "
            f"{num_rows} rows."
        )
