"""`fairdarts sweep clean`: free the disk space that a finished sweep does not need."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.formats import Format, FormatOption, print_json
from cli.options import DEFAULT_STORE, StoreOption
from results.text import counted

BYTES_PER_MB = 1e6
NOTHING_DONE = 1


def clean(
    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="Name of a sweep in the store.")],
    weights: Annotated[
        bool,
        typer.Option(
            "--weights",
            help="Also remove the weights of retrained networks. They cannot be restored.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Remove the checkpoints of finished stages.

    Says how much space that frees, and asks first. Results and logs stay, and so does everything
    that an unfinished trial needs to continue. The weights of retrained networks, which `fairdarts
    arch export` needs, stay too, unless --weights is given. As JSON: sweep, num_files, num_bytes
    and removed (true or false); without --yes nothing is asked, and nothing is removed.

    Examples:

    \b
        fairdarts sweep clean quickstart
        fairdarts sweep clean quickstart --weights --yes
    """
    from orchestrate.planning.submission import load_submission
    from orchestrate.running.clean import needless_checkpoints
    from results.store.files import size_of
    from results.store.store import Store

    opened = Store.open(store)
    trials = load_submission(opened, sweep).trials
    files = list(needless_checkpoints(opened, trials, keep_weights=not weights))
    num_bytes = size_of(files)
    if format_ is Format.JSON:
        if yes:
            _remove(files)
        counts = {"num_files": len(files), "num_bytes": num_bytes}
        print_json({"sweep": sweep} | counts | {"removed": yes})
        raise typer.Exit(NOTHING_DONE if files and not yes else 0)
    if not files:
        print(f"{sweep}: nothing to remove.")
        return
    size = f"{num_bytes / BYTES_PER_MB:,.1f} MB"
    what = "checkpoints and weights" if weights else "checkpoints"
    print(f"{sweep}: {what} of finished stages: {counted(len(files), 'file')}, {size}.")
    if not yes and not (sys.stdin.isatty() and typer.confirm("Remove them?")):
        print("Nothing was removed; --yes removes them without asking.")
        raise typer.Exit(NOTHING_DONE)
    _remove(files)
    print(f"Removed {size}.")


def _remove(files: list[Path]) -> None:
    # Records first: without its record a checkpoint counts as missing, so an interrupt here
    # leaves no record of a checkpoint that is gone.
    for path in sorted(files, key=lambda path: path.suffix != ".json"):
        path.unlink(missing_ok=True)
