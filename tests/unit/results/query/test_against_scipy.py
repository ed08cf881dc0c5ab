"""Our statistics against SciPy's own tests, and the coverage of the intervals."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats

from results.query.comparison import compare, welch
from results.query.power import pairs_needed, pooled_std, power_of, seeds_needed
from results.query.stats import (
    interquartile_mean,
    mean_std,
    spread_within_searches,
    t_interval,
)

CASES = 10_000
EXACT = {"rtol": 1e-10, "atol": 1e-12}
Array = np.ndarray


def samples(smallest: int, largest: int) -> Iterator[Array]:
    """CASES pairs of samples as arrays (cases, 2, n), with means and spreads like accuracies."""
    rng = np.random.default_rng(0)
    sizes = range(smallest, largest + 1)
    for n in sizes:
        cases = -(-CASES // len(sizes))
        means = rng.uniform(20, 99, (cases, 2, 1))
        spreads = np.exp(rng.uniform(-5, 2, (cases, 2, 1)))
        yield rng.normal(means, spreads, (cases, 2, n))


def test_means_intervals_and_quartile_means_equal_those_of_scipy() -> None:
    for cases in samples(2, 20):
        a = cases[:, 0]
        n = a.shape[1]
        ours = [mean_std(row) for row in a.tolist()]
        np.testing.assert_allclose([s.mean for s in ours], a.mean(axis=1), **EXACT)
        np.testing.assert_allclose([s.std for s in ours], a.std(axis=1, ddof=1), **EXACT)
        ends = np.array([t_interval(summary) for summary in ours])
        theirs = stats.t.interval(0.95, n - 1, a.mean(axis=1), stats.sem(a, axis=1))
        np.testing.assert_allclose(ends.T, theirs, **EXACT)
        if n >= 8:
            middle = [interquartile_mean(row) for row in a.tolist()]
            np.testing.assert_allclose(middle, stats.trim_mean(a, 0.25, axis=1), **EXACT)


def test_welch_and_p_of_outperforming_equal_those_of_scipy() -> None:
    for cases in samples(2, 20):
        a, b = cases[:, 0], cases[:, 1, ::2]
        if b.shape[1] < 2:
            continue
        ours = [welch(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
        theirs = stats.ttest_ind(a, b, axis=1, equal_var=False)
        interval = theirs.confidence_interval(0.95)
        np.testing.assert_allclose([c.p for c in ours], theirs.pvalue, **EXACT)
        np.testing.assert_allclose([c.low for c in ours], interval.low, **EXACT)
        np.testing.assert_allclose([c.high for c in ours], interval.high, **EXACT)
        higher = stats.mannwhitneyu(a, b, axis=1).statistic / (a.shape[1] * b.shape[1])
        np.testing.assert_allclose([c.outperforms for c in ours], higher, **EXACT)


def test_the_paired_permutation_test_equals_that_of_scipy() -> None:
    for cases in samples(2, 7):
        a, b = cases[:, 0], cases[:, 0] + 0.3 * (cases[:, 1] - cases[:, 1].mean(axis=1)[:, None])
        ours = [
            compare(dict(enumerate(x)), dict(enumerate(y)))
            for x, y in zip(a.tolist(), b.tolist(), strict=True)
        ]
        theirs = stats.permutation_test(
            (a - b,),
            lambda differences, axis: differences.mean(axis=axis),
            permutation_type="samples",
            n_resamples=np.inf,
            axis=1,
        )
        np.testing.assert_allclose([c.p for c in ours], theirs.pvalue, **EXACT)
        interval = stats.ttest_rel(a, b, axis=1).confidence_interval(0.95)
        np.testing.assert_allclose([c.low for c in ours], interval.low, **EXACT)
        np.testing.assert_allclose([c.high for c in ours], interval.high, **EXACT)


def test_the_spread_within_searches_is_the_pooled_one() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(97, 0.1, (200, 5, 3))
    for case in values:
        df, spread = spread_within_searches(case.ravel().tolist(), np.repeat(range(5), 3).tolist())
        assert df == 10
        assert spread == pytest.approx(np.sqrt(case.var(axis=1, ddof=1).mean()), rel=1e-10)
    assert spread_within_searches([97.0, 96.0], ["a", "b"]) == (0, None)


QUICK = (3, 7, 20)


@pytest.mark.parametrize(
    "n", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in range(3, 21)]
)
def test_intervals_cover_the_truth_94_to_96_times_in_100(n: int) -> None:
    rng = np.random.default_rng(n)
    samples = rng.normal(97.0, 0.1, (8000, n)).tolist()
    intervals = np.array([t_interval(mean_std(sample)) for sample in samples])
    assert 0.94 <= ((intervals[:, 0] <= 97.0) & (intervals[:, 1] >= 97.0)).mean() <= 0.96


@pytest.mark.slow
@pytest.mark.parametrize("n", range(3, 21))
def test_intervals_of_differences_cover_the_truth(n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.normal(97.4, 0.1, (8000, n)).tolist()
    for spread in (0.1, 0.2):
        b = rng.normal(97.0, spread, (8000, n)).tolist()
        found = [welch(x, y) for x, y in zip(a, b, strict=True)]
        covered = np.mean([c.low <= 0.4 <= c.high for c in found])  # type: ignore[operator]
        # With three or four values of each, Welch's interval is known to be a little too wide.
        assert 0.94 <= covered <= (0.96 if n > 4 else 0.975)
    pairs = [compare(dict(enumerate(x)), dict(enumerate(y))) for x, y in zip(a, b, strict=True)]
    assert 0.94 <= np.mean([c.low <= 0.4 <= c.high for c in pairs]) <= 0.96  # type: ignore[operator]


def test_the_papers_gap_takes_13_seeds_an_arm() -> None:
    assert seeds_needed(0.13, pooled_std([0.05, 0.15])) == 13
    assert seeds_needed(0.1, 0.15) == 37
    assert seeds_needed(1e-9, 1.0) is None
    assert pairs_needed() == 6


def test_the_power_is_the_share_of_simulated_tests_that_see_the_difference() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.13, 0.1, (20_000, 8)), rng.normal(0.0, 0.1, (20_000, 8))
    seen = (stats.ttest_ind(a, b, axis=1).pvalue < 0.05).mean()
    assert power_of(0.13, 0.1, 8) == pytest.approx(seen, abs=0.01)
