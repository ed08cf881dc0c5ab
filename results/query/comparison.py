"""Whether two methods differ: difference with interval, test, and P(A > B).

Searches of two methods that share a seed have the same split and order of images, so they are
compared seed by seed. The test is then exact: under the hypothesis of no difference every pair
could as well be the other way round, so it enumerates all 2^n ways. Its smallest p is 2 / 2^n:
0.125 at n = 4, so four seeds can never show a difference at 0.05. Without pairs it is Welch's t.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from results.query.stats import (
    MeanStd,
    mean_std,
    t_quantile,
)

MAX_EXACT = 40
"""Pairs up to which all 2^n ways are counted. Two sorted halves of 2^20 sums take 0.3 s."""
TIE = 1e-12
"""Sums that differ by less than this part of them are equal: their digits beyond are rounding."""
PAIRED, PAIRED_T, WELCH = "paired permutation", "paired t", "Welch"


@dataclass(frozen=True)
class Comparison:
    """What A and B differ by. Values are means of searches."""

    n_a: int
    n_b: int
    num_pairs: int
    """0: the test is not paired."""
    difference: float | None
    """Mean of A minus mean of B; over pairs only, if the test is paired."""
    low: float | None = None
    high: float | None = None
    """95 % interval of the difference, by Student's t."""
    test: str | None = None
    """Name of the test; None: too few values for one."""
    p: float | None = None
    """Two-sided."""
    smallest_p: float | None = None
    """What p can at best be with this many pairs; None: it has no bound."""
    outperforms: float | None = None
    """P(A > B): share of pairs, or of all combinations, in which A is higher; ties count half."""


def compare(a: Mapping[Hashable, float], b: Mapping[Hashable, float]) -> Comparison:
    """Compare two methods.

    Args:
        a: Value of each search of A, by what pairs it with a search of B, such as its seed.
        b: The same of B. Values whose key the other one has not got are left out of pairs.
    Returns:
        Paired if there are two pairs or more and they hold at least half of the smaller method's
        searches; with fewer, leaving out the others would lose more than pairing gains.
    """
    both = [key for key in a if key in b]
    if len(both) >= 2 and 2 * len(both) >= min(len(a), len(b)):
        return _paired(len(a), len(b), [(a[key], b[key]) for key in both])
    return welch(list(a.values()), list(b.values()))


def _paired(n_a: int, n_b: int, pairs: Sequence[tuple[float, float]]) -> Comparison:
    differences = [first - second for first, second in pairs]
    n, mean, std = mean_std(differences)
    if mean is None or std is None or math.isnan(std):
        return Comparison(n_a, n_b, n, mean)
    half = t_quantile(n - 1) * std / math.sqrt(n)
    exact = n <= MAX_EXACT
    p = sign_flip_p(differences) if exact else _t_p(mean, std / math.sqrt(n), n - 1)
    return Comparison(
        n_a,
        n_b,
        n,
        mean,
        mean - half,
        mean + half,
        PAIRED if exact else PAIRED_T,
        p,
        2.0 ** (1 - n) if exact else None,
        _share([_higher(*pair) for pair in pairs]),
    )


def welch(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Compare two independent samples, whose spreads may differ."""
    first, second = mean_std(a), mean_std(b)
    if first.mean is None or second.mean is None:
        return Comparison(first.n, second.n, 0, None)
    difference = first.mean - second.mean
    outperforms = None if math.isnan(difference) else _share([_higher(x, y) for x in a for y in b])
    error, df = _welch_error(first, second)
    if error is None or math.isnan(error) or error == 0:
        return Comparison(first.n, second.n, 0, difference, outperforms=outperforms)
    half = t_quantile(df) * error
    return Comparison(
        first.n,
        second.n,
        0,
        difference,
        difference - half,
        difference + half,
        WELCH,
        _t_p(difference, error, df),
        None,
        outperforms,
    )


def _welch_error(a: MeanStd, b: MeanStd) -> tuple[float | None, float]:
    """Standard error of the difference, and its degrees of freedom (Satterthwaite's)."""
    if a.std is None or b.std is None:
        return None, 0.0
    parts = [s.std**2 / s.n for s in (a, b) if s.std is not None]
    total = sum(parts)
    if not total > 0:
        return total, 0.0
    # Shares of the total, because squares of small variances would underflow.
    shares = [part / total for part in parts]
    df = 1 / sum(share**2 / (s.n - 1) for share, s in zip(shares, (a, b), strict=True))
    return math.sqrt(total), df


def _t_p(difference: float, error: float, df: float) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(df, -abs(difference) / error)) if error else float(difference == 0)


def sign_flip_p(differences: Sequence[float]) -> float:
    """Two-sided p of the exact paired permutation test of the mean.

    Counts in how many of the 2^n ways to give the differences their signs the sum is at least as
    far from 0 as the one observed. Every way is a sum of one half's and one of the other half's, so
    two sorted lists of 2^(n/2) sums are enough.
    """
    import numpy as np

    sizes = np.abs(np.asarray(differences, np.float64))
    observed = abs(math.fsum(differences)) * (1 - TIE) - TIE * float(sizes.max(initial=0.0))
    halves = [np.zeros(1), np.zeros(1)]
    for number, size in enumerate(sizes):
        sums = halves[number % 2]
        halves[number % 2] = np.concatenate([sums + size, sums - size])
    first, second = halves[0], np.sort(halves[1])
    # The sums are symmetric around 0, so one side is counted, and the other is as large.
    if observed <= 0:
        return 1.0
    below = np.searchsorted(second, observed - first, side="left")
    extreme = 2 * int((len(second) - below).sum())
    return float(extreme / (len(first) * len(second)))


def _higher(first: float, second: float) -> float:
    return 0.5 if first == second else float(first > second)


def _share(wins: Sequence[float]) -> float | None:
    return math.fsum(wins) / len(wins) if wins else None


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Correct the p of several comparisons by Holm's method; a missing p is not counted.

    Returns:
        For each p the smallest error rate of the whole family at which its difference counts.
    """
    known = sorted((p, number) for number, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, number) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        corrected[number] = largest
    return corrected
