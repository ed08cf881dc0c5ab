import math
import statistics

import pytest

from results.query.stats import MeanStd, mean_std, mean_std_over_searches

# FairDARTS-a to -g, Table 1 of the paper: top-1 on CIFAR-10, which it prints as 97.46 +- 0.05.
PUBLISHED_PCT = [97.46, 97.45, 97.45, 97.49, 97.37, 97.55, 97.47]


def test_mean_and_sample_std_of_a_few_numbers() -> None:
    assert mean_std([90.0, 92.0, 94.0]) == (3, 92.0, 2.0)


def test_the_sample_std_divides_by_n_minus_one() -> None:
    n, mean, std = mean_std(PUBLISHED_PCT)

    assert n == 7
    assert mean == pytest.approx(statistics.fmean(PUBLISHED_PCT), abs=1e-12)
    assert std == pytest.approx(statistics.stdev(PUBLISHED_PCT), abs=1e-12)
    assert std != pytest.approx(statistics.pstdev(PUBLISHED_PCT), abs=1e-3)


def test_one_value_has_no_std_and_no_value_has_no_mean() -> None:
    assert mean_std([90.0]) == (1, 90.0, None)
    assert mean_std([]) == (0, None, None)


def test_a_nan_is_not_left_out() -> None:
    n, mean, std = mean_std([90.0, math.nan, 91.0])

    assert n == 3
    assert mean is not None and math.isnan(mean)
    assert std is not None and math.isnan(std)
    assert mean_std([math.inf]).std is None


def test_retrainings_of_one_search_are_averaged_first() -> None:
    values = [90.0, 92.0, 94.0, 95.0]
    searches = ["a", "a", "a", "b"]

    n, mean, std = mean_std_over_searches(values, searches)

    assert (n, mean) == (2, 93.5)
    assert std == pytest.approx(math.sqrt(4.5))  # of the means 92 and 95


def test_retrainings_of_one_search_alone_have_no_std() -> None:
    assert mean_std_over_searches([90.0, 92.0], ["a", "a"]) == MeanStd(1, 91.0, None)
