"""Which columns of a Parquet file hold the images and the labels, and how they are read; no torch.

Planning a sweep reads the labels, the class names, and the header of the first image.
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
"""The usual names. A column of another name is used if it is the only one of a fitting type."""
MAX_CLASSES = 100_000
"""A number from here on is not taken as a label: it is probably an identifier."""
MISSING = -1
"""Stands for a missing label, as in Hugging Face's data sets."""


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """A Parquet file for the length of the block.

    Raises:
        DataError: If it is damaged.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    # A damaged footer can also give column names that are not text.
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
    """The name of the column of labels, numbers or texts; arguments as in `image_column`.

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
        return None  # Metadata in another form are not an error: class names are optional.
    return tuple(map(str, names)) if isinstance(names, list) and names else None


def image_files(path: Path, column: str, file: pq.ParquetFile, group: int) -> pa.ChunkedArray:
    """The image files in a row group, as binary values; null where there is none.

    Raises:
        DataError: If the column is damaged.
    """
    is_struct = pa.types.is_struct(file.schema_arrow.field(column).type)
    # Read only this part of a struct.
    values = file.read_row_group(group, [f"{column}.bytes" if is_struct else column]).column(column)
    _check_length(path, column, len(values), file.metadata.row_group(group).num_rows)
    return pc.struct_field(values, "bytes") if is_struct else values


def first_image(files: Sequence[Path], wanted: str | None) -> tuple[str, bytes]:
    """Name and content of the first image in some files.

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
    """A label column of numbers, int64, (rows,); `MISSING` for a null.

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
    """A label column of texts: int64, (rows,), indices into the sorted texts.

    The index is `MISSING` for a null or an empty text.

    Raises:
        DataError: If the column is damaged.
    """
    encoded = _values(path, column, file).cast(pa.string()).combine_chunks().dictionary_encode()
    found = encoded.dictionary.to_pylist()
    names = sorted(filter(None, found))
    place = {name: index for index, name in enumerate(names)}
    # The last entry is for nulls, whose index is -1.
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
    """The type of the values, also of a dictionary type (a category in pandas)."""
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
    """The column for a setting: the wanted one, or the only guess."""
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
    # A damaged page header can make a column end early, and pyarrow does not report that.
    if length != num_rows:
        raise DataError(
            f"{path} is damaged, fetch it again: column {column} has {length} values for "
            f"{num_rows} rows."
        )
