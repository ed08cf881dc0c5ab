"""`fairdarts results`: the aggregated tables."""

from enum import StrEnum
from typing import Annotated

import typer

from cli.formats import terminal_width
from cli.options import DEFAULT_STORE, AllSubmissionsOption, OutputOption, StoreOption
from cli.output import check_output, write_output
from cli.progress import working
from cli.run_report import say_left_out

app = typer.Typer(help="Read the results tables.", no_args_is_help=True)


class Format(StrEnum):
    """How a table is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"
    LATEX = "latex"


@app.callback()
def results() -> None:
    """Read the results tables."""


@app.command()
def table(
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(metavar="SWEEP", help="Names of sweeps in the store; default: all."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    format_: Annotated[Format, typer.Option("--format", help="Format of the table.")] = Format.TEXT,
    output: OutputOption = None,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Print means ± sample std over seeds.

    One row for each group of trials that differ only in their seeds. As csv or json the table has
    more columns, in full precision: those of `results.query.aggregate`.

    Examples:

    \b
        fairdarts results table quickstart
        fairdarts results table --format csv -o table.csv
    """
    from results.errors import StoreError
    from results.query.aggregate import aggregate
    from results.query.outcomes import trial_outcomes
    from results.report.render import render
    from results.store.store import Store

    if output is not None:
        check_output(output)
    opened = Store.open(store)
    chosen = sweeps or opened.sweep_names()
    if not chosen and format_ is not Format.JSON:
        raise StoreError(f"{opened.root} has no sweep yet: run one with `fairdarts sweep run`.")
    width = terminal_width() if output is None else None
    with working("reading the tables"):
        aggregated = aggregate(trial_outcomes(opened, chosen, all_submissions))
        text = render(aggregated, format_.value, width)
    if output is None:
        print(text, end="")
    else:
        write_output(output, text.encode())
    if not all_submissions:
        say_left_out(opened, chosen)
