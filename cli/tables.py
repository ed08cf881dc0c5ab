"""What verbs of `fairdarts results` share: which trials they count, and how rows are printed."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.formats import terminal_width
from cli.output import check_output, write_output
from results.text import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from results.query.tables import Tables
    from results.store.store import Store


class TableFormat(StrEnum):
    """How a table is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CSV = "csv"
    LATEX = "latex"
    JSON = "json"
    PARQUET = "parquet"


TableFormatOption = Annotated[TableFormat, typer.Option("--format", help="Format of the table.")]
SweepsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="SWEEP", help="Names of sweeps in the store; default: all."),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        metavar="SQL",
        help="Only trials for which this condition on the table outcomes holds, e.g. "
        "\"method = 'darts'\".",
    ),
]


class At(StrEnum):
    """Of which epoch the test accuracy counts."""

    LAST = "last"
    VAL = "val"


AtOption = Annotated[
    At,
    typer.Option(
        help="Epoch whose test accuracy counts: the last, or the best on held-out training images "
        "(retrain.num_validation)."
    ),
]


def chosen(
    store: "Store",
    sweeps: list[str] | None,
    all_submissions: bool,
    where: str | None,
    quiet: bool = False,
) -> "Tables":
    """The trials that a verb counts; says on stderr which ones are left out.

    Args:
        store: Where they are.
        sweeps: Names of sweeps; None or empty: all.
        all_submissions: Whether those count that only older submissions planned.
        where: A condition in SQL.
        quiet: Whether it says nothing.
    Raises:
        QueryError: If no trial fits the condition.
    """
    from results.errors import QueryError
    from results.query.condition import where as only
    from results.query.tables import Tables

    tables = Tables(store, sweeps or None, all_submissions)
    some = tables if where is None else only(tables, where)
    if where is not None and not len(some.trials):
        raise QueryError(
            f"--where (={where!r}) leaves none of {counted(len(tables.trials), 'trial')}: "
            "correct the condition."
        )
    if not quiet:
        say_left_out(some)
    return some


def check_file(format_: TableFormat, output: Path | None) -> None:
    """Refuse an output that cannot be written, before any work is done."""
    from results.errors import QueryError

    if format_ is TableFormat.PARQUET and output is None:
        raise QueryError("--format parquet is for a file: give one with -o FILE.")
    if output is not None:
        check_output(output)


def print_rows(
    table: "pa.Table", format_: TableFormat, output: Path | None, cut: bool = True
) -> None:
    """Print rows, or write them to a file; text for people has long cells cut."""
    from results.report.rows import render_rows

    width = terminal_width() if output is None else None
    write(render_rows(table, format_.value, width, cut), output)


def write(content: bytes, output: Path | None) -> None:
    """Print a table, or write it to a file."""
    if output is None:
        print(content.decode(), end="")
    else:
        write_output(output, content)


def say_left_out(tables: "Tables") -> None:
    """Say on stderr which trials are left out: no newer submission planned them, or `--where`."""
    for note in tables.notes:
        print(note, file=sys.stderr)
