import math

import numpy as np
import pytest

from results.query.comparison import (
    PAIRED,
    PAIRED_T,
    WELCH,
    Comparison,
    compare,
    holm,
    sign_flip_p,
    welch,
)


def of_seeds(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def test_pairs_are_tested_exactly_and_say_how_small_p_can_be() -> None:
    found = compare(of_seeds(97.1, 97.2, 97.3, 97.5), of_seeds(97.0, 97.1, 97.2, 97.3))

    assert (found.test, found.num_pairs) == (PAIRED, 4)
    assert found.difference == pytest.approx(0.125)
    # All four differ in one direction: 2 of 16 ways are as extreme, and none can be more so.
    assert found.p == found.smallest_p == 0.125
    assert found.outperforms == 1.0


def test_equal_sums_count_as_equal_in_spite_of_rounding() -> None:
    # Of the 8 ways 4 give 0.3 or -0.3 exactly; in floating point 0.1 + 0.2 is more than 0.3.
    assert sign_flip_p([0.1, 0.2, 0.0]) == 0.5
    assert sign_flip_p([0.3, -0.3]) == 1.0
    assert sign_flip_p([0.0, 0.0]) == 1.0


def test_seeds_of_only_one_method_are_left_out_of_the_pairs() -> None:
    found = compare({0: 97.0, 1: 97.0, 7: 90.0}, {0: 96.0, 1: 96.0, 8: 99.0, 9: 99.0})

    assert (found.n_a, found.n_b, found.num_pairs, found.difference) == (3, 4, 2, 1.0)


def test_few_pairs_of_many_searches_are_not_used() -> None:
    a = {seed: 97.0 + seed / 10 for seed in range(10)}
    b = {seed: 96.0 + seed / 10 for seed in range(8, 18)}

    assert (compare(a, b).test, compare(a, b).num_pairs) == (WELCH, 0)


def test_beyond_the_limit_of_counting_pairs_have_a_t_test() -> None:
    rng = np.random.default_rng(0)
    found = compare(of_seeds(*rng.normal(97.2, 0.1, 41)), of_seeds(*rng.normal(97.0, 0.1, 41)))

    assert (found.test, found.smallest_p) == (PAIRED_T, None)
    assert found.p is not None and found.p < 1e-6


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([], [97.0], Comparison(0, 1, 0, None)),
        ([98.0], [97.0], Comparison(1, 1, 0, 1.0, outperforms=1.0)),
        ([97.0, 97.0], [97.0, 97.0], Comparison(2, 2, 0, 0.0, outperforms=0.5)),
    ],
)
def test_too_few_values_have_a_difference_but_no_test(
    a: list[float], b: list[float], expected: Comparison
) -> None:
    assert welch(a, b) == expected


def test_a_diverged_run_leaves_no_number_that_hides_it() -> None:
    found = compare(of_seeds(97.0, math.nan, 97.0), of_seeds(96.0, 96.0, 96.0))

    assert found.difference is not None and math.isnan(found.difference)
    assert (found.p, found.low) == (None, None)


def test_holm_multiplies_the_smallest_p_most_and_never_lets_the_order_turn() -> None:
    # As in the design: 0.01 x 3, 0.02 x 2, and 0.03 x 1 would fall below the one before it.
    assert holm([0.03, None, 0.01, 0.02]) == pytest.approx([0.04, None, 0.03, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_papers_own_numbers_compare_as_computed_by_hand() -> None:
    # 97.46 +- 0.05 and 97.33 +- 0.15, seven searches each; the difference of Section 6.2.
    unit = np.array([-3.0, -2, -1, 0, 1, 2, 3]) / np.std(range(7), ddof=1)
    found = welch(list(97.46 + 0.05 * unit), list(97.33 + 0.15 * unit))

    assert found.difference == pytest.approx(0.13)
    assert (found.low, found.high) == pytest.approx((-0.01, 0.27), abs=0.005)
    assert found.p == pytest.approx(0.064, abs=0.001)
