"""Means, spreads and intervals over seeds.

Two kinds of seeds are told apart. Searches are independent of each other, so they are what a mean
and its interval are about. Retrainings of one genotype share a search: they are averaged first, and
their own spread is `spread_within_searches`.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

CONFIDENCE = 0.95
MIN_IQM = 8
"""From this many values the interquartile mean is given: below, it would rest on two or three."""


class Interval(NamedTuple):
    """Both ends of a confidence interval."""

    low: float
    high: float


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
    mean = _mean(numbers)
    if n == 1:
        return MeanStd(1, mean, None)
    if math.isnan(mean):
        return MeanStd(n, mean, math.nan)
    return MeanStd(n, mean, math.sqrt(_squares(numbers) / (n - 1)))


def t_interval(summary: MeanStd, confidence: float = CONFIDENCE) -> Interval | None:
    """The interval of a mean by Student's t, right at every n if values are about normal.

    (A percentile bootstrap covers 75 % instead of 95 % at n = 3, and 88 % at n = 7.)

    Returns:
        None when n < 2, or when a value is not finite.
    """
    n, mean, std = summary
    if mean is None or std is None or math.isnan(std):
        return None
    half = t_quantile(n - 1, confidence) * std / math.sqrt(n)
    return Interval(mean - half, mean + half)


def t_quantile(df: float, confidence: float = CONFIDENCE) -> float:
    """The value that Student's t with `df` degrees of freedom exceeds, on both sides together, with
    a probability of 1 - confidence.
    """
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + confidence) / 2))


def interquartile_mean(values: Iterable[float]) -> float | None:
    """The mean without the lowest and the highest quarter of the values; None below `MIN_IQM`.

    Of each end, a quarter of the values is left out, rounded down to whole values, as in SciPy's
    `trim_mean(values, 0.25)`.
    """
    ordered = sorted(values)
    n = len(ordered)
    if n < MIN_IQM or not all(map(math.isfinite, ordered)):
        return None
    middle = ordered[n // 4 : n - n // 4]
    return math.fsum(middle) / len(middle)


def means_of_searches(
    values: Iterable[float], searches: Iterable[Hashable]
) -> dict[Hashable, float]:
    """The mean over the retrainings of each search, in order of appearance.

    Args:
        values: One value for each trial.
        searches: For each trial, what its genotype comes from, such as the key of its search.
    """
    numbers, keys = list(values), list(searches)
    if len(set(keys)) == len(keys):  # Nearly always, and there may be thousands.
        finite = (number if math.isfinite(number) else math.nan for number in numbers)
        return dict(zip(keys, finite, strict=True))
    return {search: _mean(some) for search, some in _by_search(numbers, keys).items()}


def mean_std_over_searches(values: Iterable[float], searches: Iterable[Hashable]) -> MeanStd:
    """Compute `mean_std` over searches, after averaging the retrainings of each search.

    Retrainings of one genotype share a search, so they are not independent of each other.

    Args:
        values: One value for each trial.
        searches: See `means_of_searches`.
    Returns:
        Statistics in which `n` counts searches.
    """
    return mean_std(means_of_searches(values, searches).values())


def spread_within_searches(
    values: Iterable[float], searches: Iterable[Hashable]
) -> tuple[int, float | None]:
    """The spread between retrainings of one search, pooled over all searches.

    Args:
        values: One value for each training.
        searches: See `means_of_searches`.
    Returns:
        Its degrees of freedom, that is trainings minus searches, and the pooled sample standard
        deviation; None without a search that was retrained twice.
    """
    groups = _by_search(values, searches).values()
    df = sum(len(group) - 1 for group in groups)
    if not df:
        return 0, None
    if not all(math.isfinite(value) for group in groups for value in group):
        return df, math.nan
    return df, math.sqrt(math.fsum(_squares(group) for group in groups) / df)


def _by_search(
    values: Iterable[float], searches: Iterable[Hashable]
) -> dict[Hashable, list[float]]:
    by_search: dict[Hashable, list[float]] = {}
    for value, search in zip(values, searches, strict=True):
        by_search.setdefault(search, []).append(value)
    return by_search


def _mean(values: Sequence[float]) -> float:
    """The mean of one value or more; NaN if one of them is not finite."""
    if not all(map(math.isfinite, values)):
        return math.nan
    # fsum rounds only once, at the end, so a shuffled table gives the same mean, bit for bit.
    return math.fsum(values) / len(values)


def _squares(values: Sequence[float]) -> float:
    """Sum of the squared deviations from the mean."""
    mean = _mean(values)
    return math.fsum((value - mean) ** 2 for value in values)
