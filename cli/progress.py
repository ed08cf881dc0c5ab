"""Work that may take long is named on stderr, once it has taken a while."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cli.console import rich_console

PATIENCE_S = 2.0


@contextmanager
def working(what: str) -> Iterator[None]:
    """Name the work inside the block: with a spinner on a terminal, elsewhere in a line.

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
        # Nothing is redirected: what a command prints must not end up on stderr.
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
