"""Rows to Parquet bytes and back; any changed byte is noticed.

Page checksums, which any Parquet reader can verify, do not cover page headers and the footer. One
flipped bit there can shorten lists or hide every row. So a file also contains the sha256 of itself.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from numbers import Integral
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from results.errors import DamagedFile, SchemaError
from results.schema import SCHEMA
from results.store.layout import PLAN_TABLE, is_live_name

DIGEST_KEY = "fairdarts_digest"
DIGEST_MARK = b"sha256-of-file-with-zeros-here:"
BLANK = b"0" * 64
NUMBERED = {PLAN_TABLE: "submission", "attempts": "attempt"}
"""Columns with the number that the name of a live file has."""


def encode(table: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Turn `rows` into Parquet bytes with all columns of `table`.

    Args:
        table: Name of the table.
        rows: Column name to value; a column left out is null. Times carry a time zone.
    Raises:
        SchemaError: If a column does not exist, or a value does not fit its column.
    """
    schema = SCHEMA[table].arrow
    unknown = sorted({name for row in rows for name in row} - set(schema.names))
    if unknown:
        raise SchemaError(
            f"{table} has no column {', '.join(unknown)}: use {', '.join(schema.names)}."
        )
    columns = [_column(table, field, [row.get(field.name) for row in rows]) for field in schema]
    sink = pa.BufferOutputStream()
    # A small file is written and read in half the time without compression, which would begin anew
    # for each column, and without dictionaries of numbers. It is as large. Only the rows of a plan
    # are alike, and many.
    compression = "zstd" if table == PLAN_TABLE else "none"
    with pq.ParquetWriter(
        sink, schema, compression=compression, use_dictionary=False, write_page_checksum=True
    ) as writer:
        writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        writer.add_key_value_metadata({DIGEST_KEY: (DIGEST_MARK + BLANK).decode()})
    return _sign(sink.getvalue().to_pybytes())


def decode(
    table: str, path: Path, content: bytes, columns: Sequence[str] | None = None
) -> pa.Table:
    """Read the rows in the bytes of one file.

    Args:
        table: Name of the table.
        path: The live file that the bytes come from, for the error.
        content: The whole file.
        columns: Read these only; None: all.
    Returns:
        A table in today's schema: columns that an older minor version lacks are null, columns that
        a newer one added are left out.
    Raises:
        DamagedFile: If the bytes are not what `encode` made.
    """
    if _sign(content) != content:
        raise _damaged(path, "its checksum does not match")
    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        names = file.schema_arrow.names  # Asked for once: it takes a fifth as long as the rows.
        _check_owner(file, names, table, path)
        return rows_of(file, table, columns, names=names)
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        raise _damaged(path, " ".join(str(error).split())) from None


def _check_owner(file: pq.ParquetFile, names: list[str], table: str, path: Path) -> None:
    """Refuse the intact file of another table, stage, sweep or attempt.

    Raises:
        OSError: If a row is not that of which the path of the file says it is.
    """
    known = SCHEMA[table].arrow.names
    # Columns are only added at the end, so one of both begins with the other.
    shorter = min(len(names), len(known))
    if names[:shorter] != known[:shorter]:
        raise OSError(f"it is no file of the table {table}")
    if not is_live_name(table, path.stem):
        return  # Not a live file, but a copy beside a checkpoint.
    owner, _, number = path.stem.partition(".")
    wanted: dict[str, object] = {"sweep" if table == PLAN_TABLE else "stage_key": owner}
    if number and table in NUMBERED:
        wanted[NUMBERED[table]] = int(number.removeprefix("a"))
    for column, value in wanted.items():
        # These columns come before the first list, so they have the same place among the leaves.
        for group in range(file.metadata.num_row_groups):
            found = file.metadata.row_group(group).column(names.index(column)).statistics
            if found is not None and found.has_min_max and {found.min, found.max} != {value}:
                raise OSError(f"it has rows of {column} {found.min}")


def rows_of(
    file: pq.ParquetFile,
    table: str,
    columns: Sequence[str] | None,
    groups: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> pa.Table:
    """Read an open file as rows in today's schema; see `decode`.

    Args:
        file: What to read.
        table: Name of the table.
        columns: Read these only; None: all.
        groups: Numbers of the row groups to read; None: all.
        names: The columns of the file, if they are known already.
    """
    schema = _schema(table, columns)
    written = frozenset(names if names is not None else file.schema_arrow.names)
    known = [name for name in schema.names if name in written]
    if groups is None:
        found = file.read(columns=known, use_threads=False)  # Threads cost more than a small file.
    else:
        found = file.read_row_groups(groups, columns=known, use_threads=False)
    if found.schema.equals(schema):
        return found
    arrays = [
        found[field.name] if field.name in written else pa.nulls(len(found), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def concat(table: str, parts: Sequence[pa.Table], columns: Sequence[str] | None) -> pa.Table:
    """Join `parts`, which `decode` returned for the same `columns`, into one table."""
    # The empty table gives the result its columns when there are no parts. (`Schema.empty_table`
    # makes arrays of lists, for which pyarrow imports pandas, and that takes half a second.)
    empty = pa.Table.from_batches([], _schema(table, columns))
    return pa.concat_tables([empty, *parts])


def _schema(table: str, columns: Sequence[str] | None) -> pa.Schema:
    schema = SCHEMA[table].arrow
    if columns is None:
        return schema
    return pa.schema([schema.field(name) for name in columns], metadata=schema.metadata)


def _column(table: str, field: pa.Field, values: list[Any]) -> pa.Array:
    try:
        for value in values:
            _check_value(field, value)
        return pa.array(values, field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise SchemaError(f"{table}.{field.name} must be {field.type}: {error}.") from None


def _check_value(field: pa.Field, value: Any) -> None:
    """Refuse what pyarrow would change silently: 1.5 to 1, or a time without a zone to UTC."""
    if pa.types.is_integer(field.type) and not isinstance(value, Integral | None):
        raise TypeError(f"{value!r} is not an integer")
    if isinstance(value, datetime) and value.tzinfo is None:
        raise TypeError(f"{value!r} has no time zone")


def _sign(content: bytes) -> bytes:
    """Write into `content` its own sha256, computed with zeros where the digest stands."""
    # Text in the rows may contain the mark too. The last one is ours, because the metadata come
    # at the end of the file, after everything that holds text of rows.
    head, mark, tail = content.rpartition(DIGEST_MARK)
    rest = tail[len(BLANK) :]
    digest = hashlib.sha256(head + mark + BLANK + rest).hexdigest().encode()
    return head + mark + digest + rest


def _damaged(path: Path, reason: str) -> DamagedFile:
    return DamagedFile(
        f"{path} is damaged ({reason}): restore it from a copy, or let `fairdarts store check "
        "--repair` move it away, and run the sweep again."
    )
