"""What it has cost: hours, GPU hours and energy, of failed and lost attempts, too."""

from collections.abc import Iterable
from dataclasses import dataclass

from results.page.facts import Facts
from results.page.grid import Cell, Grid, cell
from results.query.planned import Row
from results.statuses import AttemptStatus

WASTED = (AttemptStatus.FAILED, AttemptStatus.LOST)


@dataclass(frozen=True)
class Cost:
    """The cost of all stages."""

    sentences: list[str]
    methods: Grid


def cost(facts: Facts) -> Cost:
    """Add up the attempts of each method; a stage that methods share counts in each of them."""
    stages: dict[str, dict[str, None]] = {}  # A set that keeps its order.
    for trial in facts.trials:
        stages.setdefault(trial["method"], {}).update(dict.fromkeys(facts.stages(trial)))
    every = dict.fromkeys(key for keys in stages.values() for key in keys)
    rows = [_row(facts, method, keys) for method, keys in stages.items()]
    if len(rows) > 1:
        rows.append(_row(facts, "all, each stage once", every))
    header = ("Method", "Stages", "Attempts", "Hours", "GPU hours", "kWh", "Failed or lost (h)")
    return Cost(_sentences(facts, every), Grid("Cost by method", header, rows))


def _row(facts: Facts, name: str, keys: Iterable[str]) -> list[Cell]:
    keys = list(keys)
    attempts = [row for key in keys for row in facts.attempts.get(key, [])]
    energies = [row["energy_j"] for row in attempts if row["energy_j"] is not None]
    return [
        cell(name),
        cell(len(keys)),
        cell(len(attempts)),
        cell(_hours(attempts), 2),
        cell(sum((row["wall_s"] or 0) * (row["num_gpus"] or 0) for row in attempts) / 3600, 2),
        cell(sum(energies) / 3.6e6 if energies else None, 3),
        cell(_hours(row for row in attempts if row["status"] in WASTED), 2),
    ]


def _hours(attempts: Iterable[Row]) -> float:
    return float(sum(row["wall_s"] or 0 for row in attempts)) / 3600


def _sentences(facts: Facts, keys: Iterable[str]) -> list[str]:
    attempts = [row for key in keys for row in facts.attempts.get(key, [])]
    began = [row["started_at"] for row in attempts if row["started_at"]]
    ended = [row["ended_at"] for row in attempts if row["ended_at"]]
    sentences = []
    if began and ended:
        hours = (max(ended) - min(began)).total_seconds() / 3600
        sentences.append(
            f"From {min(began):%Y-%m-%d %H:%M} to {max(ended):%Y-%m-%d %H:%M} UTC: {hours:,.2f} h, "
            "pauses included. Attempts that are still running are not counted yet."
        )
    if facts.given.checkpoint_bytes:
        sentences.append(
            f"Checkpoints take {facts.given.checkpoint_bytes / 1e6:,.1f} MB; "
            "`fairdarts sweep clean` says what can go."
        )
    return sentences
