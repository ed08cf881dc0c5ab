"""How many seeds it takes to see a difference."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.query.aggregate import aggregate
from results.query.stats import CONFIDENCE, t_quantile
from results.query.typed import typed

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

POWER = 0.8
MAX_SEEDS = 100_000
MIN_STD = 1e-6
MAX_POINTS = 100
WHERE = ("sweep", "dataset", "space", "recipe")
"""Columns that say what the trials of a spread have in common."""


def pooled_std(stds: Sequence[float]) -> float:
    """One spread for arms with as many seeds each."""
    return math.sqrt(math.fsum(std**2 for std in stds) / len(stds))


def power_of(difference: float, std: float, seeds: int, confidence: float = CONFIDENCE) -> float:
    """Chance that a two-sample t-test sees a difference.

    Args:
        difference: True difference of the means.
        std: Standard deviation of either arm.
        seeds: Searches in each arm.
        confidence: 1 minus the level of the test, which is two-sided.
    """
    from scipy.special import nctdtr

    df = 2 * (seeds - 1)
    distance = abs(difference) / (std * math.sqrt(2 / seeds))
    critical = t_quantile(df, confidence)
    return float(1 - nctdtr(df, distance, critical) + nctdtr(df, distance, -critical))


def seeds_needed(difference: float, std: float, power: float = POWER) -> int | None:
    """Seeds in each arm with which a two-sample t-test sees a difference; see `power_of`.

    Returns:
        At least 2; None: more than `MAX_SEEDS`.
    """
    low, high = 1, 2  # `low` seeds are too few.
    while power_of(difference, std, high) < power:
        low, high = high, 2 * high
        if high > MAX_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(difference, std, middle) < power:
            low = middle
        else:
            high = middle
    return high


def pairs_needed(level: float = 1 - CONFIDENCE) -> int:
    """Pairs below which the exact paired test cannot reach a level, however large a difference."""
    return math.ceil(1 - math.log2(level))


def power_table(
    difference: float,
    power: float,
    stds: Sequence[float] = (),
    outcomes: "pd.DataFrame | None" = None,
) -> "pa.Table":
    """How many seeds a difference takes.

    Args:
        difference: True difference of the means, in points.
        power: Chance of seeing it that is wanted.
        stds: Spread of each arm; one for both.
        outcomes: Used without `stds`: a row for the spread of each group of trials.
    Returns:
        A row for each spread; one of the store has the columns `WHERE`, too. `seeds` is needed in
        each arm (null: more than `MAX_SEEDS`).
        `pairs` is what an exact paired test needs at least, however large the difference.
    Raises:
        QueryError: If a number makes no sense, or no group has a spread.
    """
    if not 0 < abs(difference) <= MAX_POINTS or not 0 < power < 1:
        raise QueryError(
            f"difference (={difference:g}) must not be 0 nor more than {MAX_POINTS} points, and "
            f"power (={power:g}) must lie between 0 and 1."
        )
    if any(not MIN_STD <= std <= MAX_POINTS for std in stds):
        raise QueryError(
            f"std (={', '.join(f'{std:g}' for std in stds)}) must lie between {MIN_STD:g} "
            f"and {MAX_POINTS} points."
        )
    spreads: list[dict[str, Any]] = []
    if stds:
        spreads.append({"spread_of": "given", "n": None, "std": pooled_std(stds)})
    else:
        spreads = _spreads(outcomes)
    rows = [
        spread
        | {"difference": difference, "power": power}
        | {"seeds": seeds_needed(difference, spread["std"], power), "pairs": pairs_needed()}
        for spread in spreads
    ]
    return typed(rows)


def _spreads(outcomes: "pd.DataFrame | None") -> list[dict[str, Any]]:
    groups = [] if outcomes is None else aggregate(outcomes).to_dict("records")
    spreads = [
        {"spread_of": row["group_label"], **{name: row[name] for name in WHERE}}
        | {"n": row["n"], "std": row["top1_pct_std"]}
        for row in groups
        if row["top1_pct_std"] > 0
    ]
    if not spreads:
        raise QueryError(
            "no method has a spread above 0, which takes two seeds: give one with --std."
        )
    return spreads
