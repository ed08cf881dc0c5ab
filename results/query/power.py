"""How many seeds it takes to see a difference."""

import math
from collections.abc import Sequence

from results.query.stats import CONFIDENCE, t_quantile

POWER = 0.8
MAX_SEEDS = 100_000


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
