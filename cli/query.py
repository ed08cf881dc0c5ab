"""`fairdarts results sql` and `results export`: the tables for a person's own questions."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.formats import terminal_width
from cli.options import DEFAULT_STORE, AllSubmissionsOption, OutputOption, StoreOption
from cli.output import check_output, write_output
from cli.progress import working


class RowFormat(StrEnum):
    """How rows are printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def sql(
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="One SELECT, in DuckDB's SQL.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Read the query from this file.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    format_: Annotated[
        RowFormat, typer.Option("--format", help="Format of the rows.")
    ] = RowFormat.TEXT,
    output: OutputOption = None,
    all_submissions: AllSubmissionsOption = False,
    timeout: Annotated[
        float, typer.Option(min=0.001, metavar="SECONDS", help="Stop the query after this time.")
    ] = 60.0,
) -> None:
    """Answer a question about the tables in SQL.

    The tables are trials, outcomes, attempts, epochs, alphas, genotypes and retrains.
    docs/tables.md has their columns and some questions with their SQL. A query only reads these
    tables: it reaches no file, no network and no setting. Only the tables that it names are read
    from the store.

    Examples:

    \b
        fairdarts results sql "SELECT method, avg(test_top1_pct) FROM outcomes GROUP BY method"
        fairdarts results sql "DESCRIBE outcomes"
        fairdarts results sql --file question.sql --format csv -o answer.csv
    """
    from results.errors import QueryError
    from results.query.sql import query as answer
    from results.query.tables import Tables
    from results.report.rows import render_rows
    from results.store.store import Store

    if (query is None) == (file is None):
        raise QueryError('give one query: `results sql "SELECT ..."`, or `--file FILE`.')
    if format_ is RowFormat.PARQUET and output is None:
        raise QueryError("--format parquet is for a file: give one with -o FILE.")
    if output is not None:
        check_output(output)
    text = _read(file) if file is not None else str(query)
    opened = Store.open(store)
    with working("answering the query"):
        rows = answer(Tables(opened, all_submissions=all_submissions), text, timeout)
        width = terminal_width() if output is None else None
        content = render_rows(rows, format_.value, width)
    if output is None:
        print(content.decode(), end="")
    else:
        write_output(output, content)


def _read(file: Path) -> str:
    from results.errors import QueryError

    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise QueryError(f"--file (={str(file)!r}) is not text in UTF-8.") from None


def export(
    tables: Annotated[
        Path,
        typer.Option("--tables", metavar="DIR", help="Folder to create, with a file a table."),
    ],
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(metavar="SWEEP", help="Names of sweeps in the store; default: all."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Write the tables as plain Parquet files that any reader reads right.

    One file for each table of docs/tables.md, with all columns, only the newest attempt of each
    stage, and only the trials of the newest submission of each sweep. (The files in `live/` of the
    store have none of these properties.)

    Examples:

    \b
        fairdarts results export --tables tables
        fairdarts results export --tables tables quickstart
    """
    from results.query.export import export_tables
    from results.query.tables import Tables
    from results.store.store import Store

    opened = Store.open(store)
    with working("writing the tables"):
        sizes = export_tables(Tables(opened, sweeps, all_submissions), tables)
    for path, num_rows in sizes.items():
        print(f"{path}  {num_rows:,} rows")
