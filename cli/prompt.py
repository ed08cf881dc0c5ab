"""A prompt for queries: `fairdarts results sql` without one."""

import contextlib
import sys
from collections.abc import Callable

from results.text import clean_text

LEAVE = frozenset({"exit", "quit", ".exit", ".quit", "\\q"})
ABOUT = """\
A query ends with a semicolon and may have several lines. Ctrl-D or `quit` leaves.
Tables: {tables}. `DESCRIBE outcomes;` shows the columns of one."""


def prompt(answer: Callable[[str], None]) -> None:
    """Answer the queries of standard input until it ends.

    At a terminal a wrong query is an error message, and the prompt comes again. Of a pipe or a file
    the first wrong query ends the command.

    Args:
        answer: Answers one query and prints it.
    Raises:
        QueryError: If a query from a pipe is wrong.
    """
    from results.errors import QueryError
    from results.query.views import VIEWS

    if not sys.stdin.isatty():
        for query in sys.stdin.read().split(";\n"):
            if query.strip():
                answer(query)
        return
    with contextlib.suppress(ImportError):  # Not every Python has it.
        import readline  # noqa: F401 (gives `input` arrow keys and a history)
    print(ABOUT.format(tables=", ".join(VIEWS)))
    lines: list[str] = []
    while True:
        try:
            line = input("...> " if lines else "sql> ")
        except EOFError:
            print()
            return
        if not lines and line.strip().lower() in LEAVE:
            return
        lines.append(line)
        if line.rstrip().endswith(";"):
            query, lines = "\n".join(lines), []
            try:
                answer(query)
            except QueryError as error:
                print(f"error: {clean_text(str(error))}", file=sys.stderr)
