"""What the report says of trials that their tables do not: states, plans, logs, drawings."""

import os
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING

from cli.planned import origin
from orchestrate.errors import SweepError
from orchestrate.statuses import Status

if TYPE_CHECKING:
    from orchestrate.planning.plan import TrialSpec
    from orchestrate.running.overview import Overview
    from orchestrate.running.status import TrialStatus
    from results.page.given import Given, Plan, TrialState
    from results.query.tables import Tables
    from results.store.store import Store

MAX_LOG_BYTES = 64 * 1024
"""Of a log no more than its end is read."""


def given(tables: "Tables", refresh_s: int | None) -> "tuple[Given, bool]":
    """What a page of these trials needs.

    Args:
        tables: The trials.
        refresh_s: After how many seconds the page is written again; None: never.
    Returns:
        It, and whether nothing will change: no run is alive, and no trial waits for one.
    """
    from orchestrate.planning.submission import trial_of_row
    from orchestrate.running.cost import sweep_cost
    from orchestrate.running.overview import Watcher
    from results.page.given import Given

    store = tables.store
    by_sweep: dict[str, list[TrialSpec]] = {row["sweep"]: [] for row in tables.planned}
    for row in tables.planned:
        # Rows of other programs may lack what names the files of stages: the page shows their rows.
        with suppress(SweepError):
            by_sweep[row["sweep"]].append(trial_of_row(dict(row)))
    looks = {sweep: Watcher(store, sweep, trials).look() for sweep, trials in by_sweep.items()}
    states = {
        status.trial.trial_id: _state(status, look)
        for look in looks.values()
        for status in look.statuses
    }
    everything = [trial for trials in by_sweep.values() for trial in trials]
    is_over = all(_is_over(look) for look in looks.values())
    return Given(
        written_at=datetime.now(UTC),
        version=metadata.version("fairdarts"),
        command=origin().command,
        states=states,
        plans=tuple(plan for sweep in by_sweep if (plan := _plan(store, sweep)) is not None),
        activity=tuple(line for sweep, look in looks.items() for line in _activity(sweep, look)),
        checkpoint_bytes=sweep_cost(store, everything).disk_bytes,
        log=lambda *where: _log(store, *where),
        draw=_draw,
        refresh_s=None if is_over else refresh_s,
    ), is_over


def _is_over(look: "Overview") -> bool:
    ended = (Status.DONE, Status.INVALID, Status.FAILED)
    return not look.drivers and all(status.status in ended for status in look.statuses)


def _state(status: "TrialStatus", look: "Overview") -> "TrialState":
    from cli.live import progress_cells
    from results.page.given import TrialState

    detail = status.state.reason and f"{status.stage.kind}: {status.state.reason}"
    if status.status == Status.RUNNING:
        epoch, metric, left = progress_cells(status, look.progress.get(status.stage.key))
        there = (epoch and f"epoch {epoch}", metric, left and f"{left} left", status.state.holder)
        detail = ", ".join(filter(None, (status.stage.kind, *there)))
    return TrialState(status.status.value, detail, status.state.failure_kind)


def _activity(sweep: str, look: "Overview") -> list[str]:
    from cli.watch import pace, runs

    lines = [line for line in runs(look) if look.drivers or not _is_over(look)]
    if look.nodes:
        lines.append(pace(look))
    return [f"{sweep}: {line}." for line in lines]


def _plan(store: "Store", sweep: str) -> "Plan | None":
    """The newest submission of a sweep; None: its file is damaged, so only the trials are known."""
    from orchestrate.planning.submission import newest_number, stored_submission
    from results.page.given import Plan

    found = stored_submission(store, sweep, newest_number(store, sweep))
    if found is None:
        return None
    made_at = datetime.fromisoformat(found.planned_at)
    return Plan(
        sweep,
        found.number,
        f"{made_at:%Y-%m-%d %H:%M:%S} UTC",
        found.origin.command,
        found.origin.sweep_file,
    )


def _log(store: "Store", kind: str, key: str, attempt: int, lines: int) -> list[str]:
    from orchestrate.stages.paths import StagePaths

    path = StagePaths(store.stage_dir(kind, key)).attempt(attempt).log
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - MAX_LOG_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:  # Logs may be deleted: nothing is read from them but by people.
        return []
    return text.splitlines()[-lines:]


def _draw(genotype_json: str, title: str) -> bytes | None:
    from fairdarts.drawing.cell_drawing import draw
    from fairdarts.drawing.layer_drawing import draw_layers
    from fairdarts.errors import GenotypeError
    from fairdarts.genotype.any_genotype import genotype_from_json
    from fairdarts.genotype.layer_genotype import LayerGenotype

    try:
        genotype = genotype_from_json(genotype_json)
    except GenotypeError:  # Rows of another version, or edited ones.
        return None
    if isinstance(genotype, LayerGenotype):
        return draw_layers(genotype, title, "svg")
    return draw(genotype, title, "svg")
