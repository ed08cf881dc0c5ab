"""`--format`: text for people, or one JSON document for scripts.

Keys are the names that the tables use, with units in them (`multadds`, `search_wall_s`); numbers
are plain numbers, and what is not there is null. docs/cli.md says which keys a command prints.
"""

import json
import shutil
import sys
import textwrap
from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How a command prints what it found."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help="text for people, json for scripts.")
]


MAX_WIDTH = 100
"""Longer lines are hard to read."""


def terminal_width() -> int | None:
    """Columns of the terminal; None: text goes to a file or a pipe, where lines may be long."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def indented(text: str, first: str = "    ", rest: str = "    ") -> str:
    """A paragraph, indented and wrapped to the width of the terminal.

    Args:
        text: The paragraph.
        first: What its first line begins with.
        rest: What the others begin with.
    """
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    return textwrap.fill(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )


def counted(number: int, noun: str) -> str:
    """Such as "1 trial" and "2 trials"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_json(document: object) -> None:
    """Print one JSON document and nothing else; signs beyond ASCII are escaped.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON has no word for.
    """
    print(json.dumps(document, indent=2, allow_nan=False))
