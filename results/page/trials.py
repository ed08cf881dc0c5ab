"""Every trial with its attempts; of thousands those that a reader looks for first."""

from dataclasses import dataclass, replace

from results.page.facts import FAILED, INVALID, LOST, OK, PENDING, RUNNING, Facts, Trial
from results.page.grid import Cell, Grid, cell, seconds
from results.query.planned import Row
from results.text import clean_text

MAX_TRIALS = 400
"""At most this many are on the page: a browser sorts and a reader scrolls no more."""
LOG_LINES = {OK: 3, PENDING: 3, INVALID: 6, RUNNING: 12, LOST: 15, FAILED: 20}
"""How much of the end of each log is shown, by how the trial ended."""
MAX_ERROR_BYTES = 600
MAX_LINE_BYTES = 300


@dataclass(frozen=True)
class ShownAttempt:
    """One attempt at a stage."""

    title: str
    error: str
    log: list[str]


@dataclass(frozen=True)
class ShownTrial:
    """A row of the table, and what opens below it."""

    id: str
    """Empty for a trial that is on the page already, because another sweep has it, too."""
    cells: list[Cell]
    detail: str
    attempts: list[ShownAttempt]


@dataclass(frozen=True)
class Trials:
    """The trials on the page."""

    header: list[str]
    shown: list[ShownTrial]
    notes: list[str]
    """How many are not shown, and which command lists them."""

    @property
    def numeric(self) -> list[bool]:
        """Of each column whether it holds numbers."""
        return Grid("", self.header, [[*one.cells, Cell("")] for one in self.shown]).numeric


def trials(facts: Facts) -> Trials:
    """The trials in the order of the plan, or if they are too many, those that matter most."""
    chosen = most_wanted(facts.trials)
    several = len(facts.sweeps) > 1
    names = ["Trial", "Status", "Top-1 (%)", "Params (M)", "MultAdds (M)", "Skips", "Search"]
    header = [*(["Sweep"] if several else []), *names, "Retrain", "Attempts, logs"]
    shown = [_shown(facts, trial, several) for trial in chosen]
    seen: set[str] = set()
    for number, one in enumerate(shown):
        if one.id in seen:
            shown[number] = replace(one, id="")
        seen.add(one.id)
    return Trials(header, shown, _notes(facts, len(chosen)))


def most_wanted(planned: list[Trial], most: int = MAX_TRIALS) -> list[Trial]:
    """All trials; of too many those without a result first, and then the best.

    Args:
        planned: The trials in the order of the plan.
        most: How many may be shown. Those without a result take at most five eighths of it.
    """
    if len(planned) <= most:
        return planned
    order = (FAILED, INVALID, LOST, RUNNING)
    problems = [trial for status in order for trial in planned if trial["status"] == status]
    kept = problems[: most * 5 // 8]
    ok = [trial for trial in planned if trial["status"] == OK]
    ok.sort(key=lambda trial: trial["test_top1_pct"] or 0.0, reverse=True)
    return [*kept, *ok[: most - len(kept)]]


def _notes(facts: Facts, num_shown: int) -> list[str]:
    left_out = len(facts.trials) - num_shown
    if not left_out:
        return []
    names = ", ".join(f"'{sweep}'" for sweep in facts.sweeps)
    command = 'fairdarts results sql "FROM outcomes WHERE sweep IN ({})" --format csv -o trials.csv'
    return [
        f"{num_shown:,} of {len(facts.trials):,} trials are on this page: first those that failed, "
        f"are invalid, lost or running, then the most accurate. {left_out:,} are not. "
        f"All of them: `{command.format(names)}`"
    ]


def _shown(facts: Facts, trial: Trial, several: bool) -> ShownTrial:
    status = trial["status"]
    rows = [row for key in facts.stages(trial) for row in facts.attempts.get(key, [])]
    skips = trial["num_skips_layers"]
    cells = [
        *([cell(trial["sweep"])] if several else []),
        cell(trial["label"]),
        Cell(_status(trial), status=status),
        cell(trial["test_top1_pct"], 2),
        cell(_millions(trial["params"])),
        cell(_millions(trial["multadds"])),
        cell(trial["num_skips_normal"] if skips is None else skips),
        seconds(trial["search_s"]),
        seconds(trial["retrain_s"]),
    ]
    attempts = [_attempt(facts, row, status) for row in rows]
    detail = clean_text(facts.detail(trial), MAX_ERROR_BYTES)
    if trial["trained_as"]:
        detail = f"{detail} Its result is that of stage {trial['trained_as']}.".strip()
    return ShownTrial(trial["trial_id"], cells, detail, attempts)


def _status(trial: Row) -> str:
    kind = trial["failure_kind"]
    return f"{trial['status']}: {kind}" if trial["status"] == FAILED and kind else trial["status"]


def _millions(value: int | None) -> float | None:
    return None if value is None else value / 1e6


def _attempt(facts: Facts, row: Row, status: str) -> ShownAttempt:
    error = ": ".join(filter(None, [row["error_type"], row["error_message"]]))
    # The attempts at a trial that is fine are read by nobody, but for those that failed.
    quiet = status == OK and row["status"] != OK
    num_lines = LOG_LINES[FAILED if quiet else status]
    log = facts.given.log(row["kind"], row["stage_key"], row["attempt"], num_lines)
    return ShownAttempt(
        clean_text(attempt_title(row)),
        clean_text(error, MAX_ERROR_BYTES),
        [clean_text(line, MAX_LINE_BYTES) for line in log],
    )


def attempt_title(row: Row) -> str:
    """One attempt in a line: what, how it ended, when, for how long, where."""
    kind = f" ({row['failure_kind']})" if row["failure_kind"] else ""
    began = row["started_at"]
    when = "" if began is None else f", {began:%Y-%m-%d %H:%M:%S} UTC"
    took = "" if row["wall_s"] is None else f" for {seconds(row['wall_s']).text}"
    where = "" if row["host"] is None else f", {row['host']} pid {row['pid']} on {row['device']}"
    num_gpus = row["num_gpus"] or 0
    part = f" ({num_gpus:g} of a GPU)" if 0 < num_gpus < 1 else ""
    resumed = row["resumed_from_epoch"]
    since = "" if resumed is None else f", resumed after epoch {resumed}"
    return (
        f"{row['kind']} {row['stage_key']}, attempt {row['attempt']}: {row['status']}{kind}"
        f"{when}{took}{where}{part}{since}"
    )
