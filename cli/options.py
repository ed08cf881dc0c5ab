"""Options that several commands share."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from orchestrate.planning.scale import about_scales
from orchestrate.running.backend import Backend

StoreOption = Annotated[
    Path,
    typer.Option(
        "--store",
        metavar="DIR",
        envvar="FAIRDARTS_STORE",
        help="Folder of the results.",
        readable=False,  # The commands check it themselves and say it in one sentence.
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting, e.g. --set search.epochs=5; can be given several times.",
    ),
]
_SCALES = "; ".join(f"{name}: {about}" for name, about in about_scales().items())
ScaleOption = Annotated[str, typer.Option(metavar="NAME", help=f"Defaults of settings; {_SCALES}.")]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="A Ray cluster to join; default: Ray is started on this machine."
    ),
]
BackendOption = Annotated[
    Backend,
    typer.Option(help="What starts the processes that compute: Ray, or this command itself."),
]
TensorBoardOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Write every epoch to event files of TensorBoard in this folder."
    ),
]
WandbOption = Annotated[
    str | None,
    typer.Option(metavar="PROJECT", help="Show every stage as a run in this project of W&B."),
]
MlflowOption = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help="Show every stage as a run in MLflow, at this server or database (sqlite:///FILE).",
    ),
]
AllSubmissionsOption = Annotated[
    bool,
    typer.Option(
        "--all-submissions",
        help="Include trials that only earlier submissions of a sweep planned.",
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead."),
]
DEFAULT_STORE = Path("runs")


@contextmanager
def settings_named_as(**options: str) -> Iterator[None]:
    """Make errors inside the block name options instead of settings, as the user wrote them.

    Args:
        options: Option by the name of its setting, without the section.
    """
    from fairdarts.errors import ConfigError

    try:
        yield
    except ConfigError as error:
        text = str(error)
        # Messages begin with the setting and its value: `derive.rule (=...)` or `rule (=...)`.
        for setting, option in options.items():
            text = re.sub(rf"(?<![\w-])(\w+\.)?{setting}(?= \(?=)", option, text)
        raise ConfigError(text) from None
