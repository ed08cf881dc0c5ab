"""Entry point of the `fairdarts` command.

It imports little, so that Ctrl-C works while the rest of the program is still being imported.
"""

from cli import interrupt


def main() -> None:
    """Set up signals and the console, then run the command line, which ends the process."""
    interrupt.install()
    from cli import app, console

    console.set_up()
    app.main()
