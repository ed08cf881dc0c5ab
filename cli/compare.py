"""`fairdarts results best` and `results diff`: genotypes and trials beside each other."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

from cli.formats import terminal_width
from cli.options import DEFAULT_STORE, AllSubmissionsOption, StoreOption
from cli.progress import working


class By(StrEnum):
    """By which accuracy genotypes are ranked."""

    VAL = "val"
    SEARCH = "search"
    TEST = "test"


class Format(StrEnum):
    """How rows are printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="Format of the rows.")]


def best(
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(metavar="SWEEP", help="Names of sweeps in the store; default: all."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Number of genotypes.")] = 5,
    by: Annotated[
        By,
        typer.Option(
            help="val: accuracy on held-out training images (retrain.num_validation); search: on "
            "the half that trains the alphas, at the end of the search; test: on test images.",
        ),
    ] = By.VAL,
    store: StoreOption = DEFAULT_STORE,
    format_: FormatOption = Format.TEXT,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Rank the best genotypes of finished trials.

    Retrainings of one genotype are averaged, and each data set and recipe has a ranking of its own.

    Examples:

    \b
        fairdarts results best quickstart --by search
        fairdarts results best -k 1 --by test --format json
    """
    from results.query.best import best as ranking
    from results.query.tables import Tables
    from results.report.rows import render_rows
    from results.store.store import Store

    opened = Store.open(store)
    with working("reading the tables"):
        rows = ranking(Tables(opened, sweeps, all_submissions), k, by.value)
    print(render_rows(rows, format_.value, terminal_width()).decode(), end="")
    if by is By.TEST:
        print(
            "Chosen by test images, these accuracies are biased upwards: to report one, choose "
            "with --by val or --by search.",
            file=sys.stderr,
        )


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="Id of a trial, or its first digits.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Id of another trial.")],
    store: StoreOption = DEFAULT_STORE,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Compare two trials: the settings in which they differ, and their results.

    Examples:

    \b
        fairdarts results diff 2ab0 1ca0
    """
    from results.query.best import difference
    from results.query.tables import Tables
    from results.report.rows import render_rows
    from results.store.store import Store

    opened = Store.open(store)
    with working("reading the tables"):
        rows = difference(Tables(opened, all_submissions=True), first, second)
    print(render_rows(rows, format_.value, terminal_width()).decode(), end="")
