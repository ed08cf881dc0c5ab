"""What leaves a query: only types that every format and every kind of frame can show.

Which type a column gets follows from the query alone, except for whole numbers beyond 64 bits.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from results.errors import QueryError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType

_HELD = frozenset(
    {
        *("boolean", "varchar", "uuid", "float", "double"),
        *("tinyint", "smallint", "integer", "bigint"),
        *("utinyint", "usmallint", "uinteger", "ubigint"),
        *("date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp with time zone"),
    }
)
"""Types that Arrow, Parquet, pandas and polars have, too. (A `TIME` of DuckDB reaches 24:00, and in
Arrow the infinity of a `TIMESTAMP_NS` is a day in 2262.)"""


def holdable(relation: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
    """Let DuckDB convert columns of other types, and number columns of one name: `a`, `a_1`."""
    named = relation.project("*")
    names = [_quoted(name) for name in named.columns]
    types = [str(type) if _is_whole(type) else _held(type) for type in named.types]
    casts = [f"CAST({name} AS {type}) AS {name}" for name, type in zip(names, types, strict=True)]
    return named.project(", ".join(casts))


def _is_whole(type: "DuckDBPyType") -> bool:
    return type.id == "hugeint" or (type.id == "decimal" and dict(type.children)["scale"] == 0)


def _held(type: "DuckDBPyType") -> str:
    """What to cast a type to, in SQL. What none of the formats has becomes text."""
    if type.id in _HELD:
        return str(type)
    if _is_whole(type):
        return "BIGINT"
    if type.id == "decimal":
        return "DOUBLE"
    if type.id not in ("list", "array", "map", "struct"):
        return "VARCHAR"
    parts: dict[str, Any] = dict(type.children)
    if type.id == "map":
        return f"MAP({_held(parts['key'])}, {_held(parts['value'])})"
    if type.id == "struct":
        fields = [f"{_quoted(name)} {_held(part)}" for name, part in parts.items() if name]
        return f"STRUCT({', '.join(fields)})" if fields else "VARCHAR"
    return f"{_held(parts['child'])}[]"


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def held(table: "pa.Table") -> "pa.Table":
    """Make whole numbers of more than 64 bits integers where all of a column fit, otherwise text.

    Raises:
        QueryError: If there is a time that neither Python nor polars has.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for number, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        try:
            for chunk in column.chunks:
                for times in _times(chunk):
                    pc.min_max(times).as_py()
        except (OverflowError, ValueError):
            raise QueryError(
                f"column {name} has a time that is infinite or not in the years 1 to 9999: "
                "write CAST(... AS VARCHAR) to see it as text."
            ) from None
        if pa.types.is_decimal(column.type):
            try:
                whole = column.cast(pa.int64())
            except pa.ArrowInvalid:
                whole = column.cast(pa.string())
            table = table.set_column(number, name, whole)
    return table


def _times(array: "pa.Array") -> "Iterator[pa.Array]":
    """The dates and times of a column, also those in its lists and structures."""
    import pyarrow as pa

    if pa.types.is_nested(array.type):
        parts = [array.keys, array.items] if pa.types.is_map(array.type) else array.flatten()
        for part in parts if isinstance(parts, list) else [parts]:
            yield from _times(part)
    elif pa.types.is_temporal(array.type):
        yield array
