"""What was asked, and what is missing: counts, and the reasons why."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate

from results.page.facts import FAILED, INVALID, LOST, OK, RUNNING, STATUSES, Facts, Trial
from results.page.grid import Cell, Grid, broken, cell
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
    """Sentences on planned trials that are not here."""


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
        left_out=facts.tables.notes,
    )


def kinds(trials: Sequence[Trial]) -> list[str]:
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
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in facts.trials:
        groups.setdefault((trial["sweep"], trial["group_id"]), []).append(trial)
    ends = {trial["status"] for trial in facts.trials}
    differing = [name for name in ALIKE if len({trial[name] for trial in facts.trials}) > 1]
    columns: dict[str, Callable[[list[Trial]], Cell]] = {}
    if len(facts.sweeps) > 1:
        columns["Sweep"] = lambda trials: cell(trials[0]["sweep"])
    columns["Method"] = lambda trials: cell(trials[0]["group_label"])
    columns["Planned"] = lambda trials: cell(len(trials))
    for status in STATUSES:
        if status == OK or status in ends:
            columns[status.capitalize()] = partial(_count, status)
    if FAILED in ends:
        columns["Kinds of failures"] = lambda trials: cell(", ".join(kinds(trials)))
    for name in differing:
        columns[ALIKE[name]] = partial(_first, name, _short([t[name] for t in facts.trials]))
    rows = [[column(trials) for column in columns.values()] for trials in groups.values()]
    notes = [
        f"{what} of all trials: {text}."
        for name, what in ALIKE.items()
        if groups and name not in differing and (text := clean_text(broken(facts.trials[0][name])))
    ]
    for name in differing:
        short = _short([trial[name] for trial in facts.trials])
        texts = [clean_text(broken(full)) for full, base in short.items() if full != base]
        notes += [f"{ALIKE[name]} with all settings: {'; '.join(texts)}."] if texts else []
    return Grid("Trials by method", list(columns), rows, notes)


def _count(status: str, trials: list[Trial]) -> Cell:
    return cell(sum(trial["status"] == status for trial in trials))


def _first(name: str, short: Mapping[str | None, str | None], trials: list[Trial]) -> Cell:
    return cell(broken(short[trials[0][name]]))


def _short(names: Sequence[str | None]) -> dict[str | None, str | None]:
    """Data sets or recipes without their settings, where one alone is called so."""
    distinct = dict.fromkeys(names)
    bases = Counter((name or "").partition("[")[0] for name in distinct)
    return {
        name: base if name and bases[base := name.partition("[")[0]] == 1 else name
        for name in distinct
    }


def _reasons(facts: Facts) -> list[list[Trial]]:
    """Trials without a result that nobody computes, together where the reasons are alike."""
    alike: dict[tuple[str, str], list[Trial]] = {}
    for trial in facts.trials:
        if trial["status"] in (FAILED, INVALID, LOST):
            # Numbers differ from trial to trial: epochs, bytes, ids.
            pattern = re.sub(r"\d+", "#", facts.detail(trial))
            alike.setdefault((trial["status"], pattern), []).append(trial)
    return sorted(alike.values(), key=len, reverse=True)


def _reason(facts: Facts, same: list[Trial]) -> Reason:
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
