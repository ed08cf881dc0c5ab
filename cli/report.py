"""`fairdarts results report`: one page that a lab opens in the morning."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from cli import interrupt
from cli.fonts import keep_list_of_fonts
from cli.options import DEFAULT_STORE, AllSubmissionsOption, StoreOption
from cli.output import STDOUT, check_output, write_output
from cli.progress import working
from cli.tables import At, AtOption, SweepsArgument, WhereOption, chosen

REFRESH_S = 15.0
"""While a sweep runs its page is written this often, or more rarely if that takes long."""
SHARE = 0.2
"""Share of its time that `--watch` may spend on writing the page."""


def report(
    sweeps: SweepsArgument = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page to write.")
    ] = Path("report.html"),
    versus: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="Compare every method with this one, by its label or method; default: DARTS, or "
            "else a random baseline, if there is one.",
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Write the page again and again until the sweeps are done."),
    ] = False,
    at: AtOption = At.LAST,
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Write one HTML page: what was asked, the answer, figures, trials, cost, origin.

    The file holds everything and loads nothing, so it can be sent to others. In any browser its
    tables can be sorted and filtered, and its figures enlarged; it can be printed, and it works
    without scripts. Of more than 400 trials it shows those without a result and the best.

    With --watch, the page is written again every 15 seconds or more, until no trial is left and no
    run is alive, and a browser that shows it loads it again by itself. Ctrl-C ends the writing and
    leaves the sweep alone.

    Examples:

    \b
        fairdarts results report quickstart -o report.html
        fairdarts results report exp05 exp06 --versus darts -o report.html
        fairdarts results report quickstart --watch
    """
    from cli.report_given import given
    from results.errors import QueryError, StoreError
    from results.page.document import report as page
    from results.store.store import Store

    check_output(output)
    opened = Store.open(store)
    if not (sweeps or opened.sweep_names()):
        raise StoreError(f"{opened.root} has no sweep yet: run one with `fairdarts sweep run`.")
    if watch and output == STDOUT:
        raise QueryError("--watch writes a file again and again: give one with -o FILE.")

    def write(refresh_s: int | None) -> tuple[int, bool]:
        """Returns the size of the page, and whether nothing is left to compute."""
        tables = chosen(opened, sweeps, all_submissions, where, quiet=True)
        about, is_over = given(tables, refresh_s)
        content = page(tables, about, versus, at.value)
        write_output(output, content)
        return len(content), is_over

    keep_list_of_fonts()
    with working("writing the report"):
        began = time.monotonic()
        size, is_over = write(round(REFRESH_S) if watch else None)
    if watch and not is_over:
        with interrupt.tidying("The page stays as it is, and the sweep is left alone."):
            print(f"{output} is written again and again; Ctrl-C ends that.", file=sys.stderr)
            while not is_over:
                took_s = time.monotonic() - began
                refresh_s = max(REFRESH_S, took_s / SHARE)
                time.sleep(refresh_s - took_s)
                began = time.monotonic()
                size, is_over = write(round(refresh_s))
    if output != STDOUT:
        print(f"{output}  {size / 1e6:.1f} MB")
