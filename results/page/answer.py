"""The answer: means with intervals, tests, and what they say in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.page.facts import Facts
from results.page.grid import Grid, broken, text_cells
from results.query.aggregate import At, aggregate
from results.query.checklist import ENOUGH_SEEDS
from results.query.versus import COMPARABLE, add_versus
from results.report.columns import words
from results.report.render import LEVEL, Block, blocks

if TYPE_CHECKING:
    import pandas as pd

BASES = ("darts", "random", "given")
"""Methods to compare with, the first that there is, unless the user names one."""
MAX_SENTENCES = 12
COMPARED = ("Δ", "95% interval of Δ", "p", "p Holm", "P(A > B)", "Test")
"""Columns of the second table; `Method` is in both."""
COUNTED = ("Failed", "Invalid")
"""Columns that the table of what was asked has."""

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Answer:
    """The answer of methods that may be compared: the same images, space and recipe."""

    titles: list[str]
    sentences: list[str]
    means: Grid
    tests: Grid | None
    notes: list[str]


def answers(facts: Facts, versus: str | None = None, at: At = "last") -> list[Answer]:
    """The answer of each data set, space and recipe of each sweep.

    Args:
        facts: The trials.
        versus: The method to compare with; None: DARTS or else a random baseline, if there is one.
        at: As in `aggregate`.
    Raises:
        QueryError: If no method or several are called `versus`.
    """
    if not facts.trials:
        return []
    compared = _compared(facts.frame, aggregate(facts.frame, at), versus, at)
    return [_answer(block) for block in blocks(compared)]


def _compared(
    outcomes: "pd.DataFrame", aggregated: "pd.DataFrame", versus: str | None, at: At
) -> "pd.DataFrame":
    import pandas as pd

    if versus is not None:
        return add_versus(aggregated, outcomes, versus, at)
    blocks_ = aggregated.groupby(COMPARABLE, sort=False, dropna=False)
    parts = [add_versus(block, outcomes, _base(block), at) for _, block in blocks_]
    return pd.concat(parts).loc[aggregated.index]


def _base(block: "pd.DataFrame") -> str:
    """Id of the group that others with this data set and recipe are compared with."""
    finished = block[block["n"] > 0]
    for name in BASES:
        for some in (finished, block):
            if len(named := some[some["method"] == name]):
                return str(named["group_id"].iloc[0])
    return str((finished if len(finished) else block)["group_id"].iloc[0])


def _answer(block: Block) -> Answer:
    rows = [text_cells(row) for row in block.rows]
    tests = [name for name in block.header if name in COMPARED]
    means = [name for name in block.header if name not in (*COMPARED, *COUNTED)]
    return Answer(
        [broken(title) for title in block.titles],
        _sentences(block.measured),
        _part("Accuracy and cost", block.header, rows, means),
        _part(_title(block), block.header, rows, ["Method", *tests]) if tests else None,
        block.notes,
    )


def _title(block: Block) -> str:
    bases = [row["versus"] for row in block.measured if isinstance(row.get("versus"), str)]
    return f"Against {words(bases[0])}" if bases else "Differences"


def _part(title: str, header: Sequence[str], rows: list[Any], names: Sequence[str]) -> Grid:
    places = [header.index(name) for name in names]
    return Grid(title, names, [[row[place] for place in places] for row in rows])


def _sentences(rows: Sequence[Row]) -> list[str]:
    finished = [row for row in rows if _known(row["top1_pct_mean"])]
    if not finished:
        return ["No trial has an accuracy yet, so there is no answer."]
    compared = [row for row in rows if isinstance(row.get("versus"), str)]
    if len(rows) == 1 and not compared:
        return [f"{_mean(rows[0])}. There is no other method to compare it with."]
    best = max(finished, key=lambda row: float(row["top1_pct_mean"]))
    highest = "The highest mean is that of " if len(rows) > 1 else ""
    sentences = [f"{highest}{_mean(best)}."]
    sentences += [difference(row) for row in compared[:MAX_SENTENCES]]
    if len(compared) > MAX_SENTENCES:
        sentences.append(f"The table below has {len(compared) - MAX_SENTENCES} more comparisons.")
    return sentences


def _mean(row: Row) -> str:
    std = row["top1_pct_std"]
    spread = f" ± {std:.2f}" if _known(std) else ""
    return f"{words(row['group_label'])}: {row['top1_pct_mean']:.2f}{spread} % (n = {row['n']})"


def difference(row: Row) -> str:
    """What the comparison of a method with another one says, in words.

    Args:
        row: Of `aggregate`, with the columns of `add_versus`.
    """
    name, base, by = words(row["group_label"]), words(row["versus"]), row["difference"]
    if not _known(by):
        return f"{name} and {base} cannot be compared yet: one of them has no accuracy."
    place = "above" if by > 0 else "below"
    level = f"{abs(by):.2f} points {place}" if round(by, 2) else "level with"
    pairs = row["num_pairs"]
    n = f"n = {pairs} pairs of seeds" if pairs else f"n = {row['n']} searches, no pairs"
    if not _known(row["difference_low"]):
        return f"{name} is {level} {base}, {n}: too few values for an interval or a test."
    interval = f"95% interval {row['difference_low']:+.2f} to {row['difference_high']:+.2f}"
    return f"{name} is {level} {base}, {interval}, {n}: {_verdict(row)}."


def _verdict(row: Row) -> str:
    p, smallest = row["p_holm"], row["smallest_p"]
    if not _known(p):
        return "without spread no test is possible"
    several = "corrected for all comparisons, " if round(p, 3) != round(row["p"], 3) else ""
    of_test = f"({several}p = {p:.3f})" if p >= 0.001 else f"({several}p < 0.001)"
    if p < LEVEL:
        return f"distinguishable {of_test}"
    if _known(smallest) and smallest > LEVEL:
        return (
            f"not distinguishable {of_test}, and this many pairs cannot give a p below "
            f"{smallest:.3g}: run at least {ENOUGH_SEEDS}"
        )
    return f"not distinguishable {of_test}"


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and not math.isnan(value)
