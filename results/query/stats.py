"""Means and spreads over seeds."""

import math
from collections.abc import Hashable, Iterable
from typing import NamedTuple


class MeanStd(NamedTuple):
    """The number of values, their mean and their spread."""

    n: int
    mean: float | None
    """None without values; NaN if one of them is not finite."""
    std: float | None
    """Sample standard deviation (n - 1 in the denominator); None when n < 2."""


def mean_std(values: Iterable[float]) -> MeanStd:
    """Compute mean and sample standard deviation; the order of `values` does not matter.

    A NaN makes the result NaN. If it were left out, `n` would claim more values than were averaged.
    """
    numbers = list(values)
    n = len(numbers)
    if n == 0:
        return MeanStd(0, None, None)
    if not all(map(math.isfinite, numbers)):
        return MeanStd(n, math.nan, math.nan if n > 1 else None)
    # fsum rounds only once, at the end, so a shuffled table gives the same mean, bit for bit.
    mean = math.fsum(numbers) / n
    if n == 1:
        return MeanStd(1, mean, None)
    return MeanStd(n, mean, math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / (n - 1)))


def mean_std_over_searches(values: Iterable[float], searches: Iterable[Hashable]) -> MeanStd:
    """Compute `mean_std` over searches, after averaging the retrainings of each search.

    Retrainings of one genotype share a search, so they are not independent of each other.

    Args:
        values: One value for each trial.
        searches: For each trial, what its genotype comes from, such as the key of its search.
    Returns:
        Statistics in which `n` counts searches.
    """
    by_search: dict[Hashable, list[float]] = {}
    for value, search in zip(values, searches, strict=True):
        by_search.setdefault(search, []).append(value)
    means = (mean_std(group).mean for group in by_search.values())
    return mean_std(mean for mean in means if mean is not None)
