"""`fairdarts sweep export` and `sweep import`: a sweep as a folder, from one store to another."""

from pathlib import Path
from typing import Annotated

import typer

from cli.formats import Format, FormatOption, print_json
from cli.options import DEFAULT_STORE, StoreOption
from cli.progress import working
from results.text import counted


def export(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="Name of a sweep in the store.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    weights: Annotated[
        bool, typer.Option("--weights", help="Also write the weights of retrained networks.")
    ] = False,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Write a whole sweep to a folder: plans, results and attempts.

    Its tables are plain Parquet files, the rest is JSON, and README.txt in it says what is what. To
    add it to another store use `fairdarts sweep import`. Logs and checkpoints are not in it. As
    JSON: sweep, folder and num_files.

    Examples:

    \b
        fairdarts sweep export quickstart quickstart-results
        fairdarts sweep export quickstart quickstart-results --weights
    """
    from orchestrate.running.exporting import export_sweep
    from results.store.store import Store

    with working("exporting the sweep"):
        num_files = export_sweep(Store.open(store), sweep, folder, weights)
    if format_ is Format.JSON:
        print_json({"sweep": sweep, "folder": str(folder), "num_files": num_files})
        return
    print(f"{sweep}: {counted(num_files, 'file')} in {folder}.")


def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `sweep export` has written.")],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="Name of the sweep in the store.")
    ] = None,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Add an exported sweep to the store, all of it or nothing.

    Tables and statuses then count its trials like those that were run here, and `sweep run`
    continues it. Every file is compared with its checksum, and nothing is taken from elsewhere. A
    stage that the store has already stays as it is; if its results differ, nothing is imported. To
    import a folder again changes nothing. As JSON: sweep, num_submissions and num_stages (which
    are new) and num_known (stages that the store had already).

    Examples:

    \b
        fairdarts sweep import quickstart-results --store runs
        fairdarts sweep import quickstart-results --as quickstart-of-another-lab
    """
    from dataclasses import asdict

    from orchestrate.running.importing import import_sweep
    from results.store.store import Store

    with working("importing the sweep"):
        imported = import_sweep(Store.create(store), folder, name)
    if format_ is Format.JSON:
        print_json(asdict(imported))
        return
    if not imported.num_submissions and not imported.num_stages:
        print(f"{imported.sweep}: nothing new, all of it is in {store}.")
        return
    print(
        f"{imported.sweep}: imported {counted(imported.num_submissions, 'submission')} and "
        f"{counted(imported.num_stages, 'stage')}; {counted(imported.num_known, 'stage')} "
        "were there already."
    )
