"""Progress of a running sweep: a table on a terminal, plain lines elsewhere.

Both read the store, as `fairdarts sweep status` does, so all three agree.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.console import StdoutError
from orchestrate.planning.submission import Submission
from orchestrate.running.status import Progress, TrialStatus, count, progress, sweep_status
from orchestrate.statuses import Status
from results.errors import ResultsError
from results.store.holder import HEARTBEAT_S
from results.store.store import Store
from results.text import clean_text, counted

REFRESH_S = 1.0
SHARE = 0.2
"""Share of its time that this thread may spend reading the store: more trials, fewer readings."""
MAX_ROWS = 30
LATE_BEATS = 3
LATE_EPOCHS = 3
LATE_S = 60.0
"""A running stage that misses this many beats or epochs, and this many seconds, is late."""
PROBLEMS = (Status.FAILED, Status.INVALID, Status.LOST)
"""Trials without a result: each is printed on a line of its own."""


@contextmanager
def live_view(store: Store, submission: Submission, console: Console) -> Iterator[None]:
    """Show the progress of a submission while the block runs."""
    stop = threading.Event()
    show = _draw if console.is_terminal else _print_events

    def watch() -> None:
        try:
            show(store, submission, console, stop)
        except StdoutError:  # Nobody reads it any more, but the trials must go on.
            return
        except (OSError, ResultsError) as error:
            console.print(f"progress is no longer shown: {error}", markup=False)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def status_table(
    store: Store,
    statuses: list[TrialStatus],
    max_rows: int | None = None,
    is_live: bool = False,
) -> Group:
    """Make a table: counts by status, running trials, and failures with their logs.

    Args:
        store: The store of the trials.
        statuses: The trials.
        max_rows: Show at most this many running trials and this many failures; None: all.
        is_live: Whether this process runs the trials now.
    """
    counts = ", ".join(f"{n} {name}" for name, n in count(statuses).items())
    parts: list[Text | Table] = [Text(f"{counted(len(statuses), 'trial')}: {counts}")]
    running = [status for status in statuses if status.status == Status.RUNNING]
    shown = once_a_stage(running)[:max_rows]
    at = {s.stage.key: p for s in shown if (p := progress(store, s)) is not None}
    if (table := running_table(statuses, at, max_rows)) is not None:
        parts.append(table)
    problems = [status for status in statuses if has_problem(status)]
    parts += [Text(problem_line(status, is_live)) for status in problems[:max_rows]]
    if max_rows is not None and len(problems) > max_rows:
        parts.append(Text(f"... and {len(problems) - max_rows} more"))
    return Group(*parts)


def running_table(
    statuses: list[TrialStatus], at: Mapping[str, Progress], max_rows: int | None = None
) -> Table | None:
    """Make a table of the running trials, a row for each stage; None if there are none.

    Args:
        statuses: The trials.
        at: How far stages are, by key.
        max_rows: Show at most this many; None: all.
    """
    running = [s for s in once_a_stage(statuses) if s.status == Status.RUNNING]
    if not running:
        return None
    table = Table(box=None, pad_edge=False)
    for name in ("running", "stage", "epoch", "last", "left in stage", "by"):
        table.add_column(name, justify="right" if name == "epoch" else "left")
    for status in running[:max_rows]:
        there = progress_cells(status, at.get(status.stage.key))
        cells = (status.trial.label, status.stage.kind, *there, status.state.holder)
        # As `Text`, because rich would read brackets in a label as markup.
        table.add_row(*(Text(clean_text(cell)) for cell in cells))
    if max_rows is not None and len(running) > max_rows:
        table.add_row(f"... and {len(running) - max_rows} more")
    return table


def once_a_stage(statuses: list[TrialStatus]) -> list[TrialStatus]:
    """The first of the trials that are at the same stage, such as a search that they share."""
    first = {status.stage.key: status for status in reversed(statuses)}
    return [status for status in statuses if first[status.stage.key] is status]


def has_problem(status: TrialStatus) -> bool:
    """Whether there is something to say about why a trial has no result."""
    return status.status in PROBLEMS or bool(
        status.status == Status.PENDING and status.state.reason
    )


def problem_line(status: TrialStatus, is_live: bool = False) -> str:
    """Say in one line why a trial has no result: status, stage, reason and log.

    Args:
        status: A trial that has a problem.
        is_live: Whether this process runs the trials now, and starts lost ones again.
    """
    reason = status.state.reason or "its process is gone"
    if status.status in (Status.LOST, Status.PENDING):
        starts_again = is_live and (status.state.starts_again or not status.state.reason)
        again = "starts again" if starts_again else "continues when the sweep is run again"
        reason += f"; it {again}"
    where = f" (log: {status.state.log})" if status.state.log else ""
    advice = f"; {found}" if (found := invalid_advice(status)) else ""
    return clean_text(
        f"{status.status}: {status.trial.label}: {status.stage.kind}: {reason}{advice}{where}"
    )


def invalid_advice(status: TrialStatus) -> str:
    """Advice if no network can be built from a searched genotype; empty for other trials."""
    if status.status != Status.INVALID or status.trial.stage("search") is None:
        return ""
    return (
        "search longer, or lower the threshold: "
        f"`fairdarts derive {status.trial.trial_id} --threshold 0.5` shows what that would give"
    )


def duration(seconds: float) -> str:
    """Print seconds as 45 s, 12 min or 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def progress_cells(status: TrialStatus, at: Progress | None) -> tuple[str, str, str]:
    """Epochs done, the last accuracy, and the time left, of the stage that a trial is at."""
    if at is None:
        return "", "", ""
    return f"{at.epochs_done}/{at.num_epochs}", at.metric, _left(status, at)


def _left(status: TrialStatus, at: Progress) -> str:
    """Time left in a stage, or for how long it has shown nothing that says so."""
    if status.state.silent_s > LATE_BEATS * HEARTBEAT_S:
        return f"no sign of life for {duration(status.state.silent_s)}"
    if at.idle_s is not None and at.idle_s > max(LATE_EPOCHS * at.pace_s, LATE_S):
        return f"no epoch for {duration(at.idle_s)}"
    return "" if at.left_s is None else duration(at.left_s)


def _draw(store: Store, submission: Submission, console: Console, stop: threading.Event) -> None:
    finished: dict[str, TrialStatus] = {}
    pause_s = REFRESH_S
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            last_look = stop.wait(pause_s)
            started = time.monotonic()
            statuses = sweep_status(store, submission.trials, finished)
            live.update(status_table(store, statuses, MAX_ROWS, is_live=True))
            pause_s = max(REFRESH_S, (time.monotonic() - started) / SHARE)
            if last_look:
                return


def _print_events(
    store: Store, submission: Submission, console: Console, stop: threading.Event
) -> None:
    began = time.monotonic()
    finished: dict[str, TrialStatus] = {}
    # States that predate the watching are not announced.
    statuses = once_a_stage(sweep_status(store, submission.trials, finished))
    printed = {status.trial.trial_id: _event(store, status) for status in statuses}
    _print_event(console, 0.0, "starting")
    pause_s = REFRESH_S
    while True:
        last_look = stop.wait(pause_s)
        started = time.monotonic()
        for status in once_a_stage(sweep_status(store, submission.trials, finished)):
            line = _event(store, status)
            if line and printed.get(status.trial.trial_id) != line:
                printed[status.trial.trial_id] = line
                _print_event(console, started - began, line)
        pause_s = max(REFRESH_S, (time.monotonic() - started) / SHARE)
        if last_look:
            return


def _print_event(console: Console, elapsed_s: float, line: str) -> None:
    console.print(f"[{duration(elapsed_s):>7}] {line}", markup=False, soft_wrap=True)


def _event(store: Store, status: TrialStatus) -> str:
    """The line to print whenever it changes; empty for a trial that has not begun."""
    label = clean_text(status.trial.label)
    if has_problem(status):  # The reason is printed once, at the end of the run.
        return f"{status.status}: {label}: {status.stage.kind}"
    if status.status == Status.DONE:
        return f"done: {label}"
    if status.status != Status.RUNNING:
        return ""
    at: Progress | None = progress(store, status)
    if at is None or not at.epochs_done:
        return f"{label}: {status.stage.kind} started"
    return f"{label}: {status.stage.kind} epoch {at.epochs_done}/{at.num_epochs}, {at.metric}"
