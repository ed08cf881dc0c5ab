"""SQL over the views, in a DuckDB that can neither read nor write anything else.

Several layers keep a query inside, because each of them has had holes in some version of DuckDB:

1. Only one SELECT is run. (WITH, FROM, VALUES, DESCRIBE, SUMMARIZE are SELECTs for DuckDB.)
2. External access is off, extensions are neither loaded nor installed, and Python variables are
   not tables. Then the configuration is locked.
3. The views are Arrow tables in memory and open files. No path of the store is known to DuckDB.

A query is bounded in memory, threads, time and size of its result.
"""

import os
import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from results.errors import QueryError
from results.query.answer import held, holdable
from results.query.stages_read import stages_read
from results.query.tables import TABLES, Tables
from results.query.views import VIEWS
from results.schema import EPOCHS
from results.store.sealed import SealedRows
from results.text import clean_text

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as ds


MEMORY_GIB = 2.0
MAX_THREADS = 4
TIMEOUT_S = 60.0
MAX_ERROR_BYTES = 400

_LOCKED_DOWN = {
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
_OF_TEXT = frozenset({"query", "query_table"})
"""Functions that make the names of tables from text, so that a view need not stand as a word."""
_UNFOLDED_ALPHAS = """
    CREATE OR REPLACE VIEW alphas AS
    SELECT stage_key, epoch, cell, edge, source, destination, operation, position,
        alphas[position + 1] AS alpha, gates[position + 1] AS gate
    FROM epochs JOIN layouts_of_searches USING (stage_key) JOIN positions_of_layouts USING (layout)
    WHERE position < len(alphas)
"""
"""Conditions on an edge choose positions before any list is unfolded."""


def query(
    tables: Tables,
    sql: str,
    timeout_s: float = TIMEOUT_S,
    memory_gib: float = MEMORY_GIB,
    beside: "Mapping[str, pa.Table] | None" = None,
) -> "pa.Table":
    """Answer one SQL statement. Only the views that it names are read from the store.

    Args:
        tables: Where the views come from.
        sql: One statement of DuckDB's SQL.
        timeout_s: After this time the query is stopped, without the time for reading the store.
        memory_gib: Memory for computing, and once more for the result.
        beside: Tables of the caller that the statement names, too.
    Raises:
        QueryError: If it is not a query, is wrong, or takes too much time or memory.
        DamagedFile: If a file of a view that it names is damaged.
    """
    import duckdb

    sealed = None
    try:
        with duckdb.connect(":memory:", config=_config(memory_gib)) as connection:
            statement = _checked(connection, sql)
            for name, table in (beside or {}).items():
                connection.register(name, table)
            sealed = _load(connection, tables, sql)
            # DuckDB would show times in the zone of this machine.
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            return _fetch(connection, statement, timeout_s, memory_gib)
    except duckdb.Error as error:
        if sealed is not None and sealed.damage:  # Of its own errors, DuckDB only passes on text.
            raise sealed.damage from None
        raise QueryError(_sentence(error, timeout_s, memory_gib)) from None
    except UnicodeDecodeError as error:  # DuckDB's message has half a letter of the query.
        raise QueryError(f"{clean_text(error.object.decode(errors='replace'))}.") from None


def arrow(frame: "pd.DataFrame") -> "pa.Table":
    """A table for `query` to name beside the views."""
    import pyarrow as pa

    return pa.Table.from_pandas(frame, preserve_index=False)


def _config(memory_gib: float) -> dict[str, str | bool | int | float | list[str]]:
    threads = min(MAX_THREADS, os.cpu_count() or 1)
    return {**_LOCKED_DOWN, "threads": threads, "memory_limit": f"{memory_gib}GiB"}


def _checked(connection: "duckdb.DuckDBPyConnection", sql: str) -> "duckdb.Statement":
    """Return the one statement in `sql`, if it only reads."""
    import duckdb

    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"sql must be one statement, not {len(statements)}: give one query.")
    (statement,) = statements
    try:
        kind = statement.type
    except ValueError:  # A kind for which Python has no name.
        kind = None
    if kind == duckdb.StatementType.MULTI:
        raise QueryError("PIVOT must name its values: PIVOT ... ON column IN ('a', 'b') USING ...")
    if kind != duckdb.StatementType.SELECT:
        raise QueryError(
            "sql must be a query (SELECT, WITH, FROM, VALUES, DESCRIBE or SUMMARIZE), not "
            f"{kind.name if kind else 'another statement'}: the tables can only be read."
        )
    return statement


def _load(connection: "duckdb.DuckDBPyConnection", tables: Tables, sql: str) -> "SealedRows | None":
    """Make the views that a query names; return the sealed rows of them, which are not read yet."""
    # A view that a query can reach stands as a word in it. (DuckDB's own list of the tables of a
    # query needs their columns in some joins, so it cannot be asked before they are read.)
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    wanted = words & VIEWS.keys()
    if not wanted | (words & _OF_TEXT):  # It may list the tables, such as SHOW TABLES.
        for name, view in VIEWS.items():
            connection.register(name, view.arrow.empty_table())
        return None
    unfold = "alphas" in wanted
    for name in TABLES:
        if name in wanted and name != EPOCHS.name:
            connection.register(name, tables.read(name))
    if not unfold and EPOCHS.name not in wanted:
        return None
    if unfold:
        layouts, positions = tables.layouts
        connection.register("layouts_of_searches", layouts)
        connection.register("positions_of_layouts", positions)
        # DuckDB takes data sets of files for small and would hold all lists in memory to look up
        # positions. So joins are made as they are written: what stands first is streamed.
        connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    if tables.store.manifest().stages:
        # First without rows, because DuckDB's plan of the query says which stages it reads. (Not
        # for tables in memory, but for data sets of files, even if there are none.)
        _make_epochs(connection, SealedRows(EPOCHS.name, ()).dataset(), None, unfold)
        keys = stages_read(connection, sql)
        tables = tables if keys is None else tables.of_stages(keys)
    rows = tables.scan(EPOCHS.name)
    _make_epochs(connection, rows.live, rows.sealed, unfold)
    return rows.sealed


def _make_epochs(
    connection: "duckdb.DuckDBPyConnection",
    live: "pa.Table | ds.Dataset",
    sealed: "SealedRows | None",
    unfold: bool,
) -> None:
    """Make the view `epochs`, of which DuckDB reads those columns and rows that a query needs."""
    import pyarrow as pa

    connection.register("live_epochs", live)
    parts = ["FROM live_epochs"]
    if sealed is not None:
        connection.register("sealed_epochs", sealed.dataset())
        parts.append("FROM sealed_epochs")
        if (keys := sealed.keys) is not None:
            connection.register("sealed_stages", pa.table({"stage_key": sorted(keys)}))
            parts[-1] += " SEMI JOIN sealed_stages USING (stage_key)"
    connection.execute(f"CREATE OR REPLACE VIEW {EPOCHS.name} AS {' UNION ALL '.join(parts)}")
    if unfold:
        connection.execute(_UNFOLDED_ALPHAS)


def _fetch(
    connection: "duckdb.DuckDBPyConnection",
    statement: "duckdb.Statement",
    timeout_s: float,
    memory_gib: float,
) -> "pa.Table":
    import pyarrow as pa

    stop = threading.Timer(min(timeout_s, threading.TIMEOUT_MAX), connection.interrupt)
    stop.daemon = True
    stop.start()
    try:
        reader = pa.RecordBatchReader.from_stream(holdable(connection.sql(statement)))
        batches, size = [], 0
        for batch in reader:
            batches.append(batch)
            size += batch.nbytes
            if size > memory_gib * 2**30:
                raise QueryError(
                    f"the result is larger than {memory_gib:g} GiB: aggregate, or add a LIMIT."
                )
        return held(pa.Table.from_batches(batches, reader.schema))
    finally:
        stop.cancel()


def _sentence(error: "duckdb.Error", timeout_s: float, memory_gib: float) -> str:
    """DuckDB's message on one line, with its hint and without the picture of the query."""
    import duckdb

    if isinstance(error, duckdb.InterruptException):
        return (
            f"the query was stopped after {timeout_s:g} s: ask for less, or allow more time "
            "(`--timeout`, in Python `timeout_s`)."
        )
    message = clean_text(_PICTURE.sub("", str(error)), MAX_ERROR_BYTES).rstrip(".!")
    if isinstance(error, duckdb.OutOfMemoryException):
        return f"the query needs more than {memory_gib:g} GiB of memory: ask for less."
    if isinstance(error, duckdb.ConversionException) and message.endswith("INT64"):
        return f"{message}: CAST it AS DOUBLE or VARCHAR."
    # DuckDB's own hint knows only the tables that the query names.
    if isinstance(error, duckdb.CatalogException) and (unknown := _NO_TABLE.match(message)):
        return f"there is no table {unknown[1]}: the tables are {', '.join(VIEWS)}."
    return f"{message}."


_PICTURE = re.compile(r"\n+LINE \d+:.*", re.DOTALL)
"""The line of the query with a mark under the fault. On one line it says nothing."""
_NO_TABLE = re.compile(r"Catalog Error: Table with name (\S+) does not exist")
