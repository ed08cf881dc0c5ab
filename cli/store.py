"""`fairdarts store`: check the folder of results."""

from typing import Annotated

import typer

from cli.formats import Format, FormatOption, counted, print_json
from cli.options import DEFAULT_STORE, StoreOption
from cli.progress import working

app = typer.Typer(help="Check the files of a results store.", no_args_is_help=True)
FAULTS_LEFT = 1


@app.callback()
def store() -> None:
    """Check the files of a results store."""


@app.command()
def check(
    store: StoreOption = DEFAULT_STORE,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Restore what can be restored; move other damaged files to lost+found."
        ),
    ] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Read every file of the store and list damaged and missing ones, each with its remedy.

    --repair deletes nothing: it moves damaged files to `lost+found/` in the store. A stage that
    loses files this way continues from its last checkpoint, or is computed again, when its sweep is
    run again. Stages that are running are not checked.

    The exit code is 1 if there are faults that were not repaired.

    Examples:

    \b
        fairdarts store check
        fairdarts store check --repair
    """
    from orchestrate.running.faults import repair as repair_fault
    from orchestrate.running.store_check import store_faults
    from results.store.store import Store

    opened = Store.open(store)
    with working("reading the store"):
        faults = list(store_faults(opened))
    if repair:
        for fault in faults:
            repair_fault(opened, fault)
    if format_ is Format.JSON:
        print_json(
            [
                {
                    "path": str(fault.path.relative_to(opened.root)),
                    "fault": fault.what,
                    "remedy": fault.remedy,
                }
                for fault in faults
            ]
        )
    else:
        when = "repaired" if repair else "with --repair"
        for fault in faults:
            name = fault.path.relative_to(opened.root)
            print(f"{name} {fault.what}; {when}: {fault.remedy}.")
        print(f"{counted(len(faults), 'fault')}." if faults else "No fault found.")
    if faults and not repair:
        raise typer.Exit(FAULTS_LEFT)
