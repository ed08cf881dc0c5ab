"""`fairdarts results sql` and `results export`: the tables for a person's own questions."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cli.options import DEFAULT_STORE, AllSubmissionsOption, OutputOption, StoreOption
from cli.progress import working
from cli.tables import (
    SweepsArgument,
    TableFormat,
    TableFormatOption,
    WhereOption,
    check_file,
    chosen,
    print_rows,
)


def sql(
    query: Annotated[
        str | None, typer.Argument(metavar="QUERY", help="One SELECT, in DuckDB's SQL.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="FILE", help="Read the query from this file.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    where: WhereOption = None,
    format_: TableFormatOption = TableFormat.TEXT,
    output: OutputOption = None,
    all_submissions: AllSubmissionsOption = False,
    timeout: Annotated[
        float, typer.Option(min=0.001, metavar="SECONDS", help="Stop the query after this time.")
    ] = 60.0,
) -> None:
    """Answer a question about the tables in SQL.

    The tables are trials, outcomes, attempts, epochs, alphas, ops, genotypes, retrains, reference.
    docs/tables.md has their columns and some questions with their SQL. A query only reads these
    tables: it reaches no file, no network and no setting. Only the tables that it names are read
    from the store. Without a query there is a prompt, or queries are read from a pipe.

    JSON has null for NaN and infinity. Sums of integers are integers, decimals are doubles; what
    only DuckDB has, such as an interval, is text.

    Examples:

    \b
        fairdarts results sql "SELECT method, avg(test_top1_pct) FROM outcomes GROUP BY method"
        fairdarts results sql "DESCRIBE outcomes"
        fairdarts results sql --file question.sql --format csv -o answer.csv
    """
    from results.errors import QueryError
    from results.query.sql import query as answer
    from results.store.store import Store

    if query is not None and file is not None:
        raise QueryError('give one query: `results sql "SELECT ..."`, or `--file FILE`.')
    check_file(format_, output)
    text = _read(file) if file is not None else query
    tables = chosen(Store.open(store), None, all_submissions, where)

    def print_answer(text: str) -> None:
        with working("answering the query"):
            rows = answer(tables, text, timeout)
        print_rows(rows, format_, output)

    if text is None:
        from cli.prompt import prompt

        prompt(print_answer)
    else:
        print_answer(text)


def _read(file: Path) -> str:
    from results.errors import QueryError

    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError:
        raise QueryError(f"--file (={str(file)!r}) is not text in UTF-8.") from None


def export(
    sweeps: SweepsArgument = None,
    tables: Annotated[
        Path | None,
        typer.Option("--tables", metavar="DIR", help="Folder to create, with a file a table."),
    ] = None,
    huggingface: Annotated[
        Path | None,
        typer.Option(
            "--huggingface",
            metavar="DIR",
            help="The same, with a dataset card: a repository for the Hugging Face hub.",
        ),
    ] = None,
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Write the tables as plain Parquet files that any reader reads right.

    One file for each table of docs/tables.md, with all columns, only the newest attempt of each
    stage, and only the trials of the newest submission of each sweep. (The files in `live/` of the
    store have none of these properties.)

    With --huggingface the folder also gets a README.md, which `datasets.load_dataset(DIR)` and the
    hub read: what the tables are, their columns with units, and how they were made. Choose a
    license in it before you upload the folder. The tables have the names of your hosts and folders.

    Examples:

    \b
        fairdarts results export --tables tables
        fairdarts results export --tables tables quickstart
        fairdarts results export --huggingface dataset quickstart
    """
    from results.errors import QueryError
    from results.query.export import export_tables
    from results.report.dataset_card import dataset_card
    from results.store.store import Store

    folder = tables or huggingface
    if folder is None or (tables and huggingface):
        raise QueryError("give one folder to write to: --tables DIR or --huggingface DIR.")
    rows = chosen(Store.open(store), sweeps, all_submissions, where)
    with working("writing the tables"):
        readme = partial(dataset_card, rows) if huggingface else None
        sizes = export_tables(rows, folder, readme)
    for path, num_rows in sizes.items():
        print(f"{path}  {num_rows:,} rows")
    if huggingface:
        print(f"{folder / 'README.md'}  the dataset card")
