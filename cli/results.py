"""`fairdarts results table`: means over seeds, and the tables of the paper."""

import sys
from typing import TYPE_CHECKING, Annotated, cast

import typer

from cli.formats import terminal_width
from cli.options import DEFAULT_STORE, AllSubmissionsOption, OutputOption, StoreOption
from cli.progress import working
from cli.tables import (
    At,
    AtOption,
    SweepsArgument,
    TableFormat,
    TableFormatOption,
    WhereOption,
    check_file,
    chosen,
    write,
)

if TYPE_CHECKING:
    import pandas as pd

    from results.query.presets import Preset
    from results.query.tables import Tables
    from results.report.render import Format

app = typer.Typer(help="Read the results tables.", no_args_is_help=True)


@app.callback()
def results() -> None:
    """Read the results tables."""


@app.command()
def table(
    sweeps: SweepsArgument = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A table of the paper, with its printed numbers: table1, table2, table3, w01, "
            "loss-ablation or cures.",
        ),
    ] = None,
    versus: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD", help="Compare every row with this one, by its label or method."
        ),
    ] = None,
    at: AtOption = At.LAST,
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    format_: TableFormatOption = TableFormat.TEXT,
    output: OutputOption = None,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Print means ± sample std over seeds.

    One row for each group of trials that differ only in their seeds, with the 95 % t-interval of
    the mean. Retrainings of one search are averaged first; "± retrain" is their own spread. From 8
    searches on there is the interquartile mean (IQM), too.

    With --versus, a row has its difference from that method: an exact paired permutation test where
    searches share seeds, else Welch's; P(A > B) is how often the row is higher.
    If that method is random sampling in the same space, RI is the relative improvement over it.

    With --preset, trials of all sweeps are in one table, each once, and the numbers that the paper
    prints are rows at the end. They enter no mean and no test.

    As csv, json or parquet the table has more columns, in full precision: those of
    `results.query.aggregate`.

    Examples:

    \b
        fairdarts results table quickstart --versus darts
        fairdarts results table --preset table3 --format latex -o table3.tex
    """
    from results.errors import StoreError
    from results.query.presets import preset as find_preset
    from results.store.store import Store

    check_file(format_, output)
    opened = Store.open(store)
    if not (sweeps or opened.sweep_names()) and format_ is not TableFormat.JSON and not preset:
        raise StoreError(f"{opened.root} has no sweep yet: run one with `fairdarts sweep run`.")
    of_paper = find_preset(preset) if preset else None
    with working("reading the tables"):
        tables = chosen(opened, sweeps, all_submissions, where)
        aggregated = _aggregated(tables, of_paper, preset, versus, at)
    write(_rendered(aggregated, format_, tables.notes, to_file=output is not None), output)


def _aggregated(
    tables: "Tables", of_paper: "Preset | None", name: str | None, versus: str | None, at: At
) -> "pd.DataFrame":
    from results.query.aggregate import aggregate
    from results.query.condition import where
    from results.query.gates import with_gates
    from results.query.outcomes import to_pandas
    from results.query.presets import add_printed
    from results.query.versus import add_versus, pooled

    if of_paper:
        tables = where(tables, of_paper.where)
    outcomes = to_pandas(tables.read("outcomes"))
    if of_paper:
        outcomes = pooled(outcomes, str(name))
        if of_paper.order:
            outcomes = outcomes.sort_values(of_paper.order, kind="stable")
        if of_paper.gates:
            outcomes = with_gates(outcomes, tables)
    aggregated = aggregate(outcomes, at.value)
    if versus is not None:
        aggregated = add_versus(aggregated, outcomes, versus, at.value)
    return add_printed(aggregated, of_paper) if of_paper else aggregated


def _rendered(
    aggregated: "pd.DataFrame", format_: TableFormat, notes: list[str], to_file: bool
) -> bytes:
    from results.report.render import as_arrow, render
    from results.report.rows import render_rows

    if format_ is TableFormat.PARQUET:
        return render_rows(as_arrow(aggregated), "parquet")
    width = None if to_file else terminal_width()
    on_terminal = not to_file and sys.stdout.isatty()
    kept = notes if to_file else ()  # Else they stand on stderr already.
    as_format = cast("Format", format_.value)
    text = render(aggregated, as_format, width, dim=on_terminal, notes=kept)
    return text.encode()
