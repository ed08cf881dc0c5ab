"""What single parts of the report do with unusual rows."""

import math
from datetime import UTC, datetime

import pytest
from small_sweep import Trial, finish, submit

from results.page.answer import answers, difference
from results.page.asked import asked
from results.page.facts import Facts
from results.page.given import Given
from results.page.grid import Grid, cell, seconds, text_cells
from results.page.trials import most_wanted
from results.query.tables import Tables
from results.store.store import Store

COMPARED = {
    "group_label": "fairdarts",
    "versus": "darts",
    "n": 7,
    "num_pairs": 7,
    "difference": 0.3,
    "difference_low": 0.1,
    "difference_high": 0.5,
    "p": 0.016,
    "p_holm": 0.031,
    "smallest_p": 2.0**-6,
}
BEGINNING = (
    "fairdarts is 0.30 points above darts, 95% interval +0.10 to +0.50, n = 7 pairs of seeds: "
)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({}, "distinguishable (corrected for all comparisons, p = 0.031)."),
        ({"p": 0.0002, "p_holm": 0.0002}, "distinguishable (p < 0.001)."),
        ({"p": 0.2, "p_holm": 0.2}, "not distinguishable (p = 0.200)."),
        (
            {"p": 0.125, "p_holm": 0.125, "smallest_p": 0.125},
            "not distinguishable (p = 0.125), and this many pairs cannot give a p below 0.125: run "
            "at least 6.",
        ),
        ({"p": math.nan, "p_holm": math.nan}, "without spread no test is possible."),
    ],
)
def test_a_test_in_words(change: dict[str, float], text: str) -> None:
    assert difference(COMPARED | change) == BEGINNING + text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"difference": -0.3}, "fairdarts is 0.30 points below darts, "),
        ({"difference": 0.001}, "fairdarts is level with darts, "),
        ({"num_pairs": 0}, "n = 7 searches, no pairs: "),
        ({"difference_low": math.nan}, "n = 7 pairs of seeds: too few values for an interval"),
        ({"difference": math.nan}, "fairdarts and darts cannot be compared yet"),
    ],
)
def test_a_difference_in_words(change: dict[str, float], text: str) -> None:
    assert text in difference(COMPARED | change)


def test_of_too_many_trials_failures_and_the_best_are_shown() -> None:
    ends = ["ok"] * 90 + ["pending"] * 5 + ["failed"] * 3 + ["running"] * 2
    planned = [{"status": end, "test_top1_pct": float(n)} for n, end in enumerate(ends)]
    assert most_wanted(planned, most=100) == planned
    shown = most_wanted(planned, most=10)
    assert [one["status"] for one in shown] == ["failed"] * 3 + ["running"] * 2 + ["ok"] * 5
    assert [one["test_top1_pct"] for one in shown[5:]] == [89.0, 88.0, 87.0, 86.0, 85.0]


def test_failures_leave_room_for_the_best() -> None:
    planned = [{"status": "failed", "test_top1_pct": None}] * 50
    planned += [{"status": "ok", "test_top1_pct": 1.0}] * 50
    shown = [one["status"] for one in most_wanted(planned, most=16)]
    assert shown == ["failed"] * 10 + ["ok"] * 6


def test_cells_sort_by_the_number_that_they_begin_with() -> None:
    texts = ("97.46 ± 0.05", "[-1.5, 3]", "+0.30", "1,234", "2 of 7", "-", "darts", "1e-3")
    assert [one.value for one in text_cells(texts)] == [
        97.46, -1.5, 0.3, 1234.0, 2.0, None, None, 0.001,
    ]  # fmt: skip


def test_values_are_shown_with_as_many_digits_as_they_are_read_with() -> None:
    shown = [cell(value).text for value in (None, math.nan, 7.0, 0.04312, 1234.5, 12, "", "a\x1bb")]
    assert shown == ["-", "-", "7.00", "0.0431", "1,234", "12", "-", "ab"]
    assert [seconds(value).text for value in (None, 12.34, 100.0, 5400.0)] == [
        "-", "12.3 s", "1.7 min", "1.5 h",
    ]  # fmt: skip


def test_a_column_is_numeric_if_it_holds_nothing_else() -> None:
    rows = [[cell(1), cell("a"), cell(None)], [cell(None), cell(2), cell(None)]]
    assert Grid("", ("a", "b", "c"), rows).numeric == [True, False, True]
    assert Grid("", ("a", "b"), []).numeric == [False, False]


def test_sweeps_of_one_method_each_are_compared_with_each_other(store: Store) -> None:
    """As the packaged experiments are: DARTS in one, in another with other settings, and so on."""
    sweeps = {
        "exp01": [Trial("darts", seed) for seed in range(3)],
        "exp05": [Trial("fairdarts", seed, recipe="cifar-600[epochs=3,lr=1]") for seed in range(3)],
        "exp06": [Trial("fairdarts", seed) for seed in range(3)],
        "exp13": [Trial("darts", seed, settings=(("zero_one_weight", 1),)) for seed in range(3)],
    }
    for name, trials in sweeps.items():
        submit(store, name, 1, trials)
        for trial in trials:
            finish(store, trial, 97.0 + (name == "exp06") + 0.1 * trial.seed)
    facts = Facts(Tables(store), Given(datetime.now(UTC), "1", "fairdarts results report"))
    words = {one.titles[0].split(" ")[0]: one.sentences for one in answers(facts)}
    assert "There is no other method to compare it with." in words["exp01"][0]
    assert "There is no other method to compare it with." in words["exp05"][0]
    assert words["exp06"][1].startswith("fairdarts is 1.00 points above darts of exp01, ")
    assert words["exp13"][1].startswith("darts is level with darts of exp01, ")
    grid = asked(facts).groups
    recipe = grid.header.index("Recipe")
    assert [row[recipe].text for row in grid.rows][:2] == ["cifar-600", "cifar-600[epochs=3, lr=1]"]
