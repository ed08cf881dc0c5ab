"""What `sweep run`, `sweep resume`, `search` and `retrain` print when their trials have ended."""

import shlex
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NoReturn

import typer

from cli.formats import Format, print_json, terminal_width
from cli.interrupt import tidying
from cli.progress import working
from orchestrate.statuses import Status
from results.statuses import FailureKind
from results.text import counted

if TYPE_CHECKING:
    from orchestrate.planning.submission import Submission
    from orchestrate.running.cost import SweepCost
    from orchestrate.running.stopping import RunEnd
    from results.store.store import Store


EXIT_CODES = {"finished": 0, "failed": 1, "unfinished": 1, "stopped": 3}
"""By the outcome of a run."""
MAX_REASONS = 10
"""Trials for which a run says at its end why it gave them up; `sweep status` names all."""


def report(
    store: "Store",
    submission: "Submission",
    end: "RunEnd",
    again: str,
    format_: Format = Format.TEXT,
) -> NoReturn:
    """Print the table, where files are and what is unfinished, and end the command.

    The exit code is that of `EXIT_CODES`.
    """
    code = EXIT_CODES[end.outcome]
    if format_ is Format.JSON:
        from cli.sweep_json import run_document

        print_json(run_document(store, submission, end, code))
        raise typer.Exit(code)
    from cli.live import problem_line

    print_table(store, [submission.sweep])
    print(f"\nCost: {cost_text(store, submission)}")
    print(f"Tables: {store.root / 'live'}/*/*.parquet (trials, attempts, epochs, genotypes, ...)")
    print(f"Stages: {store.root / 'stages'} (logs, checkpoints)")
    unfinished = [status for status in end.statuses if not status.finished]
    given_up = [
        status
        for status in unfinished
        if status.status != Status.FAILED
        and status.state.reason
        and status.state.failure_kind != FailureKind.STOPPED
    ]
    for status in given_up[:MAX_REASONS]:
        print(problem_line(status))
    failures = [
        status.state.num_failures for status in unfinished if status.status == Status.FAILED
    ]
    if end.early and unfinished:
        left = counted(len(unfinished) - len(failures), "unfinished trial")
        print(
            f"Stopped: {end.early}. All finished epochs are kept; continue {left} with `{again}`."
        )
    if failures:
        where = f"{submission.sweep} --store {shlex.quote(str(store.root))}"
        attempts = submission.resources.max_attempts
        more = f" --max-attempts {max(failures) + 1}" if min(failures) >= attempts else ""
        print(
            f"Failed: {counted(len(failures), 'trial')} (logs: `fairdarts sweep status {where}`). "
            f"To try once more, up to {counted(attempts, 'attempt')} in all: "
            f"`fairdarts sweep retry {where}{more}`."
        )
    elif unfinished and not end.early:
        print(f"Not finished: {counted(len(unfinished), 'trial')}; continue with `{again}`.")
    raise typer.Exit(code)


def cost_text(store: "Store", submission: "Submission") -> str:
    """What the trials of a submission have cost, in one line."""
    from cli.live import duration
    from orchestrate.running.cost import sweep_cost

    cost = sweep_cost(store, submission.trials)
    gpus = f" ({cost.gpu_s / 3600:,.2f} GPU hours{_energy(cost)})" if cost.gpu_s else ""
    elapsed = f"{duration(cost.elapsed_s)} from start to end"
    return (
        f"{duration(cost.slot_s)} of computing{gpus}, {elapsed}, "
        f"{cost.disk_bytes / 1e6:,.1f} MB of checkpoints."
    )


def _energy(cost: "SweepCost") -> str:
    return "" if cost.energy_j is None else f", {cost.energy_j / 3.6e6:,.3f} kWh"


def print_table(store: "Store", sweeps: list[str]) -> None:
    """Print the table of `fairdarts results table` for some sweeps."""
    from cli.tables import say_left_out
    from results.query.aggregate import aggregate
    from results.query.outcomes import to_pandas
    from results.query.tables import Tables
    from results.report.render import render

    with working("reading the tables"):
        tables = Tables(store, sweeps)
        text = render(aggregate(to_pandas(tables.read("outcomes"))), width=terminal_width())
    print(text, end="")
    say_left_out(tables)


def interruptible(how: str) -> AbstractContextManager[None]:
    """For a block that runs trials: a signal ends them, and a line says how to continue."""
    return tidying(f"Interrupted. All finished epochs are kept; continue with {how}.")
