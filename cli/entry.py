"""Where the process of the `fairdarts` command begins.

It imports little, so that Ctrl-C is heeded before the rest of the program has been imported.
"""

from typing import NoReturn

from cli import interrupt


def main() -> NoReturn:
    """Heed signals, take over the console and run the command line."""
    interrupt.install()
    from cli import app, console

    console.set_up()
    app.main()
