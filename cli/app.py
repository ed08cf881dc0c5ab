"""The `fairdarts` command: its groups, and what a person sees when something is wrong."""

import signal
import sys
from types import FrameType
from typing import NoReturn

import typer

from cli import arch, derive, doctor, export, results, sample, settings, single, sweep
from fairdarts.errors import FairDartsError
from orchestrate.errors import OrchestrateError
from results.errors import ResultsError

app = typer.Typer(
    name="fairdarts",
    help="Fair DARTS at cluster scale: plan sweeps, run and resume them, read the tables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
sweep.app.command()(settings.settings)
app.add_typer(sweep.app, name="sweep")
app.add_typer(results.app, name="results")
arch.app.command()(export.export)
app.add_typer(arch.app, name="arch")
app.command()(single.search)
app.command()(derive.derive)
app.command()(single.retrain)
app.command()(sample.sample)
app.command()(doctor.doctor)

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command line; bad input ends in one sentence and exit code 2, never a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)  # Batch systems send it before they kill.
    try:
        app()
    except (FairDartsError, OrchestrateError, ResultsError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'the file system'}: {error.strerror or error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(0)


def _fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
