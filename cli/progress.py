"""A message on stderr for work that takes longer than two seconds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cli.console import rich_console

PATIENCE_S = 2.0


@contextmanager
def working(what: str) -> Iterator[None]:
    """Name the work of the block: with a spinner on a terminal, otherwise on one line.

    Args:
        what: What is being done, such as "reading the tables".
    """
    done = threading.Event()

    def name_it() -> None:
        if done.wait(PATIENCE_S):
            return
        from rich.live import Live
        from rich.spinner import Spinner

        console = rich_console(stderr=True)
        if not console.is_terminal:
            console.print(f"{what} ...", markup=False, soft_wrap=True)
            return
        # By default rich would print on this console, stderr, what the command prints to stdout.
        spinner = Spinner("dots", f"{what} ...")
        with Live(
            spinner, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
        ):
            done.wait()

    thread = threading.Thread(target=name_it, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
