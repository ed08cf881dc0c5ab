"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[
    Path, typer.Option("--store", envvar="FAIRDARTS_STORE", help="Folder of the results.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a setting, e.g. --set search.epochs=5; repeatable."),
]
ScaleOption = Annotated[
    str, typer.Option(help="paper, or small: what two CPU cores finish in a day.")
]
AddressOption = Annotated[
    str | None,
    typer.Option(help="host:port of a Ray cluster to join; without it Ray starts here."),
]
DEFAULT_STORE = Path("runs")
