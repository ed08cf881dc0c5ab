"""What was asked, and what is missing: counts, and the reasons why."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from results.page.facts import FAILED, INVALID, LOST, OK, RUNNING, STATUSES, Facts
from results.page.grid import Cell, Grid, cell
from results.report.columns import NOTHING
from results.text import clean_text

MAX_REASONS = 15
"""At most this many reasons are listed, the most frequent first."""
MAX_RUNNING = 40
SAMPLE_LINES = 12
"""Lines of one log for each reason."""
MAX_REASON_BYTES = 400
ALIKE = {"dataset": "Images", "space": "Space", "recipe": "Recipe"}
"""Columns of `trials` that most sweeps have once: then they are a sentence."""


@dataclass(frozen=True)
class Part:
    """A part of the bar of all trials, in percent of its width."""

    status: str
    count: int
    start: float
    width: float


@dataclass(frozen=True)
class Reason:
    """Why some trials have no result."""

    status: str
    count: int
    text: str
    trial: str
    """Id of one of them."""
    label: str
    log: list[str]
    """The end of its log."""


@dataclass(frozen=True)
class Asked:
    """What was planned, and how much of it is there."""

    planned: int
    counts: dict[str, int]
    """By status, without those that no trial has."""
    kinds: list[str]
    """Kinds of failures with their numbers, such as "2 oom"."""
    bar: list[Part]
    groups: Grid
    reasons: list[Reason]
    num_more_reasons: int
    running: Grid | None
    left_out: list[str]
    """Sentences on trials that only older submissions planned."""


def asked(facts: Facts) -> Asked:
    """Count the trials by how far they are."""
    counter = Counter(trial["status"] for trial in facts.trials)
    counts = {status: counter[status] for status in STATUSES if counter[status]}
    reasons = _reasons(facts)
    return Asked(
        planned=len(facts.trials),
        counts=counts,
        kinds=kinds(facts.trials),
        bar=_bar(counts),
        groups=_groups(facts),
        reasons=[_reason(facts, same) for same in reasons[:MAX_REASONS]],
        num_more_reasons=max(0, len(reasons) - MAX_REASONS),
        running=_running(facts),
        left_out=[
            f"{number} {'trial' if number == 1 else 'trials'} of {sweep} that only earlier "
            "submissions planned: left out here, `--all-submissions` includes them."
            for sweep, number in facts.tables.left_out.items()
        ],
    )


def kinds(trials: Sequence[dict[str, Any]]) -> list[str]:
    """The kinds of failures of some trials with their numbers, the most frequent first."""
    failed = [t["failure_kind"] or "unknown" for t in trials if t["status"] == FAILED]
    return [f"{number} {kind}" for kind, number in Counter(failed).most_common()]


def _bar(counts: dict[str, int]) -> list[Part]:
    total = sum(counts.values()) or 1
    widths = [100 * number / total for number in counts.values()]
    starts = [0.0, *accumulate(widths)]
    return [
        Part(status, number, round(start, 3), round(width, 3))
        for (status, number), start, width in zip(counts.items(), starts, widths, strict=False)
    ]


def _groups(facts: Facts) -> Grid:
    """A row for each method of each sweep."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in facts.trials:
        groups.setdefault((trial["sweep"], trial["group_id"]), []).append(trial)
    several = len(facts.sweeps) > 1
    ends = {trial["status"] for trial in facts.trials}
    statuses = [status for status in STATUSES if status == OK or status in ends]
    differing = [name for name in ALIKE if len({trial[name] for trial in facts.trials}) > 1]
    rows = []
    for (sweep, _), trials in groups.items():
        counts = Counter(trial["status"] for trial in trials)
        first = trials[0]
        rows.append(
            [
                *([cell(sweep)] if several else []),
                cell(first["group_label"]),
                cell(len(trials)),
                *(cell(counts[status]) for status in statuses),
                *([Cell(", ".join(kinds(trials)) or NOTHING)] if FAILED in ends else []),
                *(
                    cell(first[name] or (NOTHING if name != "recipe" else "search only"))
                    for name in differing
                ),
            ]
        )
    header = [*(["Sweep"] if several else []), "Method", "Planned", *map(str.capitalize, statuses)]
    header += ["Kinds of failures"] if FAILED in ends else []
    header += [ALIKE[name] for name in differing]
    same = (
        [(ALIKE[name], facts.trials[0][name]) for name in ALIKE if name not in differing]
        if facts.trials
        else []
    )
    notes = [f"{what} of all: {clean_text(text)}." for what, text in same if text]
    return Grid("Trials by method", header, rows, notes if rows else ())


def _reasons(facts: Facts) -> list[list[dict[str, Any]]]:
    """Trials without a result that nobody computes, together where the reasons are alike."""
    alike: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in facts.trials:
        if trial["status"] in (FAILED, INVALID, LOST):
            # Numbers differ from trial to trial: epochs, bytes, ids.
            pattern = re.sub(r"\d+", "#", facts.detail(trial))
            alike.setdefault((trial["status"], pattern), []).append(trial)
    return sorted(alike.values(), key=len, reverse=True)


def _reason(facts: Facts, same: list[dict[str, Any]]) -> Reason:
    first = same[0]
    text = facts.detail(first) or "its process is gone; `fairdarts sweep run` continues it"
    attempts = [row for key in facts.stages(first) for row in facts.attempts.get(key, [])]
    log: list[str] = []
    if attempts and first["status"] != INVALID:
        last = attempts[-1]
        where = (last["kind"], last["stage_key"], last["attempt"])
        log = [clean_text(line) for line in facts.given.log(*where, SAMPLE_LINES)]
    return Reason(
        first["status"],
        len(same),
        clean_text(text, MAX_REASON_BYTES),
        first["trial_id"],
        clean_text(first["label"]),
        log,
    )


def _running(facts: Facts) -> Grid | None:
    running = [trial for trial in facts.trials if trial["status"] == RUNNING]
    if not running:
        return None
    rows = [
        [Cell(clean_text(trial["label"]), link=trial["trial_id"]), cell(facts.detail(trial))]
        for trial in running[:MAX_RUNNING]
    ]
    more = len(running) - MAX_RUNNING
    notes = [f"... and {more} more; `fairdarts sweep watch` shows all nodes."] if more > 0 else []
    return Grid("Running now", ["Trial", "How far"], rows, notes)


def verdict(asked_: Asked) -> str:
    """How complete the results are, in one sentence."""
    ok, planned = asked_.counts.get(OK, 0), asked_.planned
    if not planned:
        return "No trial was planned."
    if ok == planned:
        return f"All {planned:,} planned trials are finished." if planned > 1 else "Finished."
    others = [f"{number:,} {status}" for status, number in asked_.counts.items() if status != OK]
    kinds_ = f" ({', '.join(asked_.kinds)})" if asked_.kinds else ""
    text = ", ".join(others).replace(FAILED, f"{FAILED}{kinds_}", 1)
    return f"{ok:,} of {planned:,} planned trials have a result; {text}."
