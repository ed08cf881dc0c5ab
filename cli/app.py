"""The `fairdarts` command: its groups of commands, and how errors are printed."""

import sys
from typing import NoReturn

import typer

from cli import (
    arch,
    attempts,
    bundle,
    clean,
    compact,
    compare,
    console,
    delete,
    derive,
    doctor,
    export,
    judge,
    plot,
    query,
    report,
    results,
    retry,
    sample,
    settings,
    show,
    single,
    stop,
    store,
    sweep,
    watch,
)
from fairdarts.errors import FairDartsError
from orchestrate.errors import OrchestrateError
from results.errors import ResultsError
from results.text import clean_text

app = typer.Typer(
    name="fairdarts",
    help="Fair DARTS at cluster scale: plan sweeps, run and resume them, read the tables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
sweep.app.command()(settings.settings)
sweep.app.command()(attempts.why)
sweep.app.command()(attempts.logs)
sweep.app.command()(retry.retry)
sweep.app.command()(watch.watch)
sweep.app.command()(stop.stop)
sweep.app.command()(clean.clean)
sweep.app.command()(delete.delete)
sweep.app.command()(bundle.export)
sweep.app.command("import")(bundle.import_)
app.add_typer(sweep.app, name="sweep")
results.app.command()(query.sql)
results.app.command()(query.export)
results.app.command()(compare.compare)
results.app.command()(compare.best)
results.app.command()(compare.diff)
results.app.command()(compact.compact)
results.app.command()(judge.power)
results.app.command()(judge.corr)
results.app.command()(judge.checklist)
results.app.command()(report.report)
results.app.command()(plot.plot)
app.add_typer(results.app, name="results")
arch.app.command()(export.export)
app.add_typer(store.app, name="store")
app.add_typer(arch.app, name="arch")
app.command()(single.search)
app.command()(derive.derive)
app.command()(single.retrain)
app.command()(sample.sample)
app.command()(show.show)
app.command()(doctor.doctor)

BAD_INPUT = 2
READER_GONE = 141
"""What a shell reports for a program whose reader has closed the pipe (`| head`)."""


def main() -> NoReturn:
    """Run the command line. A user's error is printed as one sentence and ends in exit code 2."""
    try:
        code = _run()
        sys.stdout.flush()  # If stdout goes to a full disk, the error may come only here.
    except console.StdoutError as error:
        console.discard_stdout()
        code = READER_GONE if error.reader_is_gone else _fail(str(error))
    sys.exit(code)


def _run() -> int | str | None:
    try:
        app()
    except SystemExit as exit_:
        return exit_.code
    except (FairDartsError, OrchestrateError, ResultsError) as error:
        return _fail(str(error))
    except PermissionError as error:
        return _fail(
            f"{error.filename or 'the file system'}: {error.strerror or error}: change who may "
            "read and write it, or use another place."
        )
    except OSError as error:
        return _fail(f"{error.filename or 'the file system'}: {error.strerror or error}")
    return 0


def _fail(message: str) -> int:
    print(f"error: {clean_text(message)}", file=sys.stderr)
    return BAD_INPUT
