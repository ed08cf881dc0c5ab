"""`fairdarts results` verbs that compare: methods, genotypes, trials, and accuracies."""

import sys
from enum import StrEnum
from typing import Annotated

import typer

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
    print_rows,
)


class By(StrEnum):
    """By which accuracy genotypes are ranked."""

    VAL = "val"
    SEARCH = "search"
    TEST = "test"


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A method: its label in the table.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    at: AtOption = At.LAST,
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    format_: TableFormatOption = TableFormat.TEXT,
    output: OutputOption = None,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Compare two methods: difference, interval, test, and how often A is higher.

    Methods may be of different sweeps; only those with the same data set and recipe are compared.
    Searches with the same seed are pairs, and the test is an exact permutation test. smallest_p is
    what it can reach with so many pairs; seeds of only one method are named. Without pairs the test
    is Welch's. Intervals are 95 % t-intervals, p is two-sided. n counts searches, num_ok and
    planned count trials, num_trainings distinct trainings.

    Examples:

    \b
        fairdarts results compare fairdarts darts
        fairdarts results compare darts "random (M=2)" --where "sweep = 'quickstart'"
    """
    from results.query.outcomes import to_pandas
    from results.query.versus import compare_methods
    from results.store.store import Store

    check_file(format_, output)
    with working("reading the tables"):
        tables = chosen(Store.open(store), None, all_submissions, where)
        rows = compare_methods(to_pandas(tables.read("outcomes")), first, second, at.value)
    print_rows(rows, format_, output)


def best(
    sweeps: SweepsArgument = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Number of genotypes.")] = 5,
    by: Annotated[
        By,
        typer.Option(
            help="val: accuracy on held-out training images (retrain.num_validation); search: on "
            "the half that trains the alphas, at the end of the search; test: on test images.",
        ),
    ] = By.VAL,
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    format_: TableFormatOption = TableFormat.TEXT,
    output: OutputOption = None,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Rank the best genotypes of finished trials.

    Retrainings of one genotype are averaged, and each data set and recipe has a ranking of its own.
    A genotype has the id, label and cost of its best trial. Of equal trials or genotypes the one
    with the lowest trial id comes first.

    Examples:

    \b
        fairdarts results best quickstart --by search
        fairdarts results best -k 1 --by test --format json
    """
    from results.query.best import best as ranking
    from results.store.store import Store

    check_file(format_, output)
    with working("reading the tables"):
        rows = ranking(chosen(Store.open(store), sweeps, all_submissions, where), k, by.value)
    print_rows(rows, format_, output)
    if by is By.TEST:
        print(
            "Chosen by test images, these accuracies are biased upwards: to report one, choose "
            "with --by val or --by search.",
            file=sys.stderr,
        )


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="Id of a trial, or its first digits.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Id of another trial.")],
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    format_: TableFormatOption = TableFormat.TEXT,
    output: OutputOption = None,
) -> None:
    """Compare two trials: the settings in which they differ, and their results.

    Examples:

    \b
        fairdarts results diff 2ab0 1ca0
        fairdarts results diff 2ab0 1ca0 --where "sweep = 'quickstart'"
    """
    from results.query.best import difference
    from results.store.store import Store

    check_file(format_, output)
    with working("reading the tables"):
        tables = chosen(Store.open(store), None, True, where)
        rows = difference(tables, first, second)
    print_rows(rows, format_, output)
