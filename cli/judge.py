"""`fairdarts results` verbs that judge an experiment: power, corr, checklist."""

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


def power(
    difference: Annotated[
        float, typer.Argument(metavar="DIFFERENCE", help="Difference of top-1 to see, in points.")
    ],
    std: Annotated[
        list[float] | None,
        typer.Option(
            metavar="POINTS",
            help="Spread between seeds; give it twice for two arms. Default: that of each method "
            "in the store.",
        ),
    ] = None,
    chance: Annotated[
        float, typer.Option("--power", metavar="SHARE", help="Chance of seeing the difference.")
    ] = 0.8,
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    format_: TableFormatOption = TableFormat.TEXT,
    output: OutputOption = None,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Say how many seeds it takes to see a difference.

    seeds is for each of two methods, in a two-sided t-test at 0.05. pairs is the number below which
    an exact paired test cannot reach 0.05 at all.

    Examples:

    \b
        fairdarts results power 0.13 --std 0.05 --std 0.15
        fairdarts results power 0.5 --where "method = 'fairdarts'"
    """
    from results.query.power import power_table

    check_file(format_, output)
    if std:
        print_rows(power_table(difference, chance, std), format_, output)
        return
    from results.query.outcomes import to_pandas
    from results.store.store import Store

    with working("reading the tables"):
        tables = chosen(Store.open(store), None, all_submissions, where)
        rows = power_table(difference, chance, outcomes=to_pandas(tables.read("outcomes")))
    print_rows(rows, format_, output)


def corr(
    sweeps: SweepsArgument = None,
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    format_: TableFormatOption = TableFormat.TEXT,
    output: OutputOption = None,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Correlate accuracy in the search with that after retraining.

    Kendall's tau between the accuracy of each search on the half that trains the alphas, in its
    last epoch, and the test accuracy of its network. From 8 searches it has a 95 % interval. n
    counts searches; those that came to the same genotype share trainings, see num_trainings.

    Examples:

    \b
        fairdarts results corr quickstart
        fairdarts results corr --where "method = 'fairdarts'" --format json
    """
    from results.query.correlation import correlations
    from results.store.store import Store

    check_file(format_, output)
    with working("reading the tables"):
        rows = correlations(chosen(Store.open(store), sweeps, all_submissions, where))
    print_rows(rows, format_, output)


def checklist(
    sweeps: SweepsArgument = None,
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    format_: TableFormatOption = TableFormat.TEXT,
    output: OutputOption = None,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Answer what papers on architecture search are asked to report.

    The points are those of Lindauer and Hutter's checklist (JMLR 2020) that a store can answer,
    each with its evidence. One that it cannot answer is left to the authors.

    Examples:

    \b
        fairdarts results checklist exp05 exp10
        fairdarts results checklist --format markdown -o checklist.md
    """
    from results.query.checklist import checklist as answers
    from results.store.store import Store

    check_file(format_, output)
    with working("reading the tables"):
        rows = answers(chosen(Store.open(store), sweeps, all_submissions, where))
    print_rows(rows, format_, output, cut=False)
