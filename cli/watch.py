"""`fairdarts sweep watch`: what goes on in a sweep, live, whoever runs it."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import interrupt
from cli.console import rich_console
from cli.formats import Format, FormatOption, print_json
from cli.options import DEFAULT_STORE, StoreOption
from results.text import counted

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from orchestrate.running.overview import Overview
    from results.store.store import Store

REFRESH_S = 2.0
MAX_FAILURES = 5
"""How many of the last failures are shown."""


def watch(
    sweep: Annotated[
        str, typer.Argument(metavar="SWEEP", help="Name of a sweep in the store, or its TOML file.")
    ],
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Watch a sweep: trials, nodes, pace, time left, and the last failures.

    Reads the store only, so it works from any machine that sees the store, whoever runs the sweep.
    On a terminal it is drawn again every two seconds until the sweep is finished; Ctrl-C ends the
    watching (exit code 130) and leaves the sweep alone. Elsewhere, and as JSON, it is printed once.
    As JSON: sweep, trials (how many, by status), runs (holder, since, stopping), nodes (host,
    num_stages, num_gpus, devices, since), epochs_per_h, left_s, unmeasured (kinds of stages that
    left_s leaves out), running and failures, each a list as `sweep status` has it.

    Examples:

    \b
        fairdarts sweep watch quickstart
        fairdarts sweep watch quickstart --format json
    """
    from cli.running import newest_submission
    from orchestrate.running.overview import Watcher
    from results.store.store import Store

    opened = Store.open(store)
    submission = newest_submission(opened, sweep)
    watcher = Watcher(opened, submission.sweep, submission.trials)
    if format_ is Format.JSON:
        print_json(_document(opened, submission.sweep, watcher.look()))
        return
    console = rich_console()
    if not console.is_terminal:
        console.print(_frame(opened, submission.sweep, watcher.look()), soft_wrap=True)
        return
    from rich.live import Live

    from cli.live import SHARE

    with (
        interrupt.tidying("The sweep is left alone."),
        Live(console=console, auto_refresh=False) as live,
    ):
        while True:
            started = time.monotonic()
            overview = watcher.look()
            live.update(_frame(opened, submission.sweep, overview), refresh=True)
            if overview.is_finished:
                return
            time.sleep(max(REFRESH_S, (time.monotonic() - started) / SHARE))


def _frame(store: "Store", sweep: str, overview: "Overview") -> "Group":
    from rich.console import Group
    from rich.text import Text

    from cli.live import MAX_ROWS, problem_line, running_table
    from cli.running import summary

    parts: list[Text | Table] = [Text(summary(sweep, overview.statuses))]
    parts += [Text(line) for line in runs(overview)]
    if overview.nodes:
        parts += [Text(pace(overview)), Text(), _nodes(overview), Text()]
    if (running := running_table(overview.statuses, overview.progress, MAX_ROWS)) is not None:
        parts.append(running)
    if overview.failures:
        shown = overview.failures[:MAX_FAILURES]
        parts += [Text(), Text(f"the last of {counted(len(overview.failures), 'failure')}:")]
        parts += [Text(problem_line(status)) for status in shown]
    return Group(*parts)


def runs(overview: "Overview") -> list[str]:
    """Which runs of a sweep are alive, a line each."""
    if not overview.drivers:
        return [] if overview.is_finished else ["no run of it is alive: `sweep run` continues it"]
    return [
        f"run by {driver.holder} since {driver.since:%Y-%m-%d %H:%M:%S} UTC"
        + (f"; stopping: {request.reason}" if (request := driver.request()) else "")
        for driver in overview.drivers
    ]


def pace(overview: "Overview") -> str:
    """How fast a sweep goes on, and how long it will take."""
    from cli.live import duration

    parts = []
    if overview.epochs_per_h:
        parts.append(f"{overview.epochs_per_h:,.0f} epochs an hour")
    if overview.left_s is None:
        return ", ".join([*parts, "time left unknown until an epoch is finished"])
    parts.append(f"about {duration(overview.left_s)} left")
    if overview.unmeasured:
        kinds = " and ".join(overview.unmeasured)
        parts.append(f"without {kinds}, of which no epoch is finished yet")
    return ", ".join(parts)


def _nodes(overview: "Overview") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from cli.live import duration

    table = Table(box=None, pad_edge=False)
    for name in ("node", "stages", "GPUs", "on", "since"):
        table.add_column(name, justify="right" if name in ("stages", "GPUs") else "left")
    for node in overview.nodes:
        on = ", ".join(node.devices)
        ran_s = (datetime.now(UTC) - node.since).total_seconds()
        since = f"{node.since:%H:%M:%S} UTC ({duration(max(0, ran_s))})"
        cells = (node.host, str(node.num_stages), f"{node.num_gpus:g}", on, since)
        table.add_row(*map(Text, cells))  # Rich would read brackets in a name as markup.
    return table


def _document(store: "Store", sweep: str, overview: "Overview") -> dict[str, Any]:
    from cli.sweep_json import trial_document
    from orchestrate.running.status import count
    from orchestrate.statuses import Status

    running = [status for status in overview.statuses if status.status == Status.RUNNING]
    return {
        "sweep": sweep,
        "trials": count(overview.statuses),
        "runs": [
            {
                "holder": driver.holder,
                "since": driver.since.isoformat(),
                "stopping": request.reason if (request := driver.request()) else None,
            }
            for driver in overview.drivers
        ],
        "nodes": [asdict(node) | {"since": node.since.isoformat()} for node in overview.nodes],
        "epochs_per_h": overview.epochs_per_h,
        "left_s": overview.left_s,
        "unmeasured": overview.unmeasured,
        "running": [trial_document(store, status) for status in running],
        "failures": [trial_document(store, status) for status in overview.failures],
    }
