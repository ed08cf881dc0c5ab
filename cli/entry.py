"""Where the process of the `fairdarts` command begins.

It imports little, so that Ctrl-C is heeded before the rest of the program has been imported.
"""

from cli import interrupt


def main() -> None:
    """Heed signals, take over the console and run the command line, which exits."""
    interrupt.install()
    from cli import app, console

    console.set_up()
    app.main()
