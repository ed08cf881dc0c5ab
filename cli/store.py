"""`fairdarts store`: check the folder of results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.formats import Format, FormatOption, print_json
from cli.options import DEFAULT_STORE, StoreOption
from cli.progress import working
from results.text import counted

if TYPE_CHECKING:
    from orchestrate.running.store_check import Repairs

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

    --repair deletes nothing: it moves damaged files to `lost+found/` in the store. Then it checks
    the store again and says what is repaired and what is left. Rows that are gone are left: their
    stage continues from its last checkpoint, or is computed again, when its sweep is run again.
    Stages that are running are not checked.

    The exit code is 1 if there are faults that were not repaired.

    Examples:

    \b
        fairdarts store check
        fairdarts store check --repair
    """
    from orchestrate.running.store_check import Repairs, repair_store, store_faults
    from results.store.store import Store

    opened = Store.open(store)
    with working("reading the store"):
        found = repair_store(opened) if repair else Repairs([], list(store_faults(opened)))
    if format_ is Format.JSON:
        print_json(
            [
                {
                    "path": str(fault.path.relative_to(opened.root)),
                    "fault": fault.what,
                    "remedy": fault.remedy,
                    "repaired": fault in found.repaired,
                }
                for fault in (*found.repaired, *found.left)
            ]
        )
    else:
        _print(opened.root, found, repair)
    if found.left:
        raise typer.Exit(FAULTS_LEFT)


def _print(root: Path, found: "Repairs", repair: bool) -> None:
    """Print each fault, and then how many there are and which sweeps to run."""
    for fault in found.repaired:
        print(f"{fault.path.relative_to(root)} {fault.what}; repaired: {fault.remedy}.")
    for fault in found.left:
        how = "not repaired: " if repair else "with --repair: " if fault.is_repairable else ""
        print(f"{fault.path.relative_to(root)} {fault.what}; {how}{fault.remedy}.")
    num_repaired, num_left = len(found.repaired), len(found.left)
    parts = f": {num_repaired} repaired, {num_left} left" if repair else ""
    num_faults = num_repaired + num_left
    print(f"{counted(num_faults, 'fault')}{parts}." if num_faults else "No fault found.")
    gone = [fault for fault in found.left if not fault.is_repairable]
    if sweeps := sorted({sweep for fault in gone for sweep in fault.sweeps}):
        commands = ", ".join(f"`fairdarts sweep resume {sweep}`" for sweep in sweeps)
        print(f"What is gone is computed again by {commands}.")
