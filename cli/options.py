"""Options that several commands share."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

StoreOption = Annotated[
    Path,
    typer.Option("--store", metavar="DIR", envvar="FAIRDARTS_STORE", help="Folder of the results."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting, e.g. --set search.epochs=5; can be given several times.",
    ),
]
ScaleOption = Annotated[
    str,
    typer.Option(metavar="NAME", help="paper, or small: what two CPU cores finish in a day."),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="A Ray cluster to join; left out: Ray starts on this machine."
    ),
]
DEFAULT_STORE = Path("runs")


@contextmanager
def settings_named_as(**options: str) -> Iterator[None]:
    """Inside, an error about a setting names the option that it was given by.

    Args:
        options: Name of a setting, without its section, to the option.
    """
    from fairdarts.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        text = str(error)
        for setting, option in options.items():
            text = re.sub(rf"(?<![\w-])(\w+\.)?{setting}(?= \(?=)", option, text)
        raise ConfigError(text) from None
