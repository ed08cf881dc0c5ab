"""`fairdarts sweep why` and `sweep logs`: how each attempt at a trial went."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.formats import Format, FormatOption, print_json
from cli.options import DEFAULT_STORE, StoreOption
from results.text import clean_text

if TYPE_CHECKING:
    from orchestrate.planning.plan import StageSpec, TrialSpec
    from orchestrate.stages.paths import StagePaths
    from results.store.store import Store

TAIL_LINES = 12
"""How much of the log of an unfinished stage `sweep why` prints."""
FOLLOW_S = 0.5

TrialArgument = Annotated[
    str, typer.Argument(metavar="TRIAL", help="Id of a trial or of its stage, or its first digits.")
]


def why(
    trial: TrialArgument,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Show every attempt at a trial: where, when, how long, how it ended.

    For a stage that is not done, it also shows the end of the log. As JSON: a list with the columns
    of the table `attempts`, and `log`, the path of the attempt's log.

    Examples:

    \b
        fairdarts sweep why 2ab0
        fairdarts sweep why 2ab0 --format json
    """
    from orchestrate.stages.twins import state_of
    from results.report.rows import plain
    from results.store.store import Store

    opened = Store.open(store)
    stages = _find(opened, trial).stages
    if format_ is Format.JSON:
        print_json([plain(row) for stage in stages for row in _attempts(opened, stage)])
        return
    for stage in stages:
        state = state_of(stage, opened)
        reason = f": {state.reason}" if state.reason else ""
        print(clean_text(f"{stage.kind} {stage.key} {state.status}{reason}"))
        for row in _attempts(opened, stage):
            print(f"  {clean_text(_attempt_line(row))}")
        if state.log is not None and not state.outcome:
            print(f"  the end of {clean_text(str(state.log))}:")
            for line in state.log.read_text("utf-8", errors="replace").splitlines()[-TAIL_LINES:]:
                print(f"    {clean_text(line)}")


def logs(
    trial: TrialArgument,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", help="Keep printing new lines until the trial is finished or failed."
        ),
    ] = False,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Print the logs of a trial: all attempts at all of its stages, in order.

    Examples:

    \b
        fairdarts sweep logs 2ab0
        fairdarts sweep logs 2ab0 --follow
    """
    from orchestrate.running.status import trial_status
    from orchestrate.statuses import Status
    from results.store.store import Store

    opened = Store.open(store)
    spec = _find(opened, trial)
    num_printed: dict[Path, int] = {}
    while True:
        # The status is read before the logs: otherwise the last lines of a trial that finishes
        # between the two would not be printed.
        status = trial_status(opened, spec)
        for stage in spec.stages:
            for log in _logs(opened, stage):
                _print_rest(log, num_printed, f"{stage.kind} {stage.key}, {log.parent.name}")
        if not follow or status.finished or status.status == Status.FAILED:
            return
        time.sleep(FOLLOW_S)


def _find(store: "Store", text: str) -> "TrialSpec":
    from orchestrate.errors import SweepError
    from orchestrate.running.lookup import planned_trials
    from results.query.ids import find_id

    id_ = find_id(store, text)
    for known in planned_trials(store, id_).values():
        if id_ != known.trial.group_id:
            return known.trial
    raise SweepError(
        f"{id_} is not a trial, nor a stage of one: `fairdarts show {id_}` says what it is."
    )


def _paths(store: "Store", stage: "StageSpec") -> "StagePaths":
    from orchestrate.stages.paths import StagePaths

    return StagePaths(store.stage_dir(stage.kind, stage.key))


def _attempts(store: "Store", stage: "StageSpec") -> list[dict[str, Any]]:
    """Rows of the table `attempts` for this stage, each with the path of its log."""
    from results.store.attempts import read_attempts

    rows = read_attempts(store, [stage.key]).sort_by("attempt").to_pylist()
    paths = _paths(store, stage)
    return [row | {"log": str(paths.attempt(row["attempt"]).log)} for row in rows]


def _attempt_line(row: dict[str, Any]) -> str:
    from cli.live import duration

    kind = f" ({row['failure_kind']})" if row["failure_kind"] else ""
    took = "" if row["wall_s"] is None else f" for {duration(row['wall_s'])}"
    resumed = row["resumed_from_epoch"]
    num_gpus = row["num_gpus"] or 0
    part = f"{num_gpus:g} of " if 0 < num_gpus < 1 else ""
    since = "" if resumed is None else f", resumed after epoch {resumed}"
    return (
        f"attempt {row['attempt']}: {row['status']}{kind}, {row['started_at']:%Y-%m-%d %H:%M:%S} "
        f"UTC{took}, {row['host']} pid {row['pid']} on {part}{row['device']}{since}"
    )


def _logs(store: "Store", stage: "StageSpec") -> list[Path]:
    paths = _paths(store, stage)
    logs = [paths.attempt(number).log for number in paths.attempt_numbers()]
    return [log for log in logs if log.exists()]


def _print_rest(log: Path, num_printed: dict[Path, int], title: str) -> None:
    """Print the lines that were added to a log since the last call."""
    lines = log.read_text("utf-8", errors="replace").splitlines()
    if log not in num_printed:
        print(f"== {title}")
    for line in lines[num_printed.get(log, 0) :]:
        print(clean_text(line))
    num_printed[log] = len(lines)
