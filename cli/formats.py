"""`--format`: text for people, or one JSON document for scripts.

Keys are the names of the tables' columns, with units (`wall_s`, `test_top1_pct`). Numbers are plain
numbers, and a missing value is null. docs/cli.md says which keys each command prints.
"""

import json
import shutil
import sys
import textwrap
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How a command prints its result."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help="text for people, json for scripts.")
]


MAX_WIDTH = 100
"""Paragraphs are wrapped here, because longer lines are hard to read."""


def terminal_width() -> int | None:
    """Columns of the terminal; None for a file or a pipe, where lines may be long."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def indented(text: str, first: str = "    ", rest: str = "    ") -> str:
    """Indent a paragraph and wrap it to the width of the terminal.

    Args:
        text: The paragraph.
        first: Begins the first line.
        rest: Begins the other lines.
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


def notes_aside(format_: Format) -> AbstractContextManager[object]:
    """For a block that prints progress and notes: with JSON they go to stderr.

    Standard output then has the document alone.
    """
    return redirect_stdout(sys.stderr) if format_ is Format.JSON else nullcontext()


def print_json(document: object) -> None:
    """Print one JSON document and nothing else; characters beyond ASCII are escaped.

    Raises:
        ValueError: If a number is NaN or infinite, which JSON cannot express.
    """
    print(json.dumps(document, indent=2, allow_nan=False))
