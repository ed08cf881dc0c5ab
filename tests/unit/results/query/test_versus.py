from collections.abc import Sequence

import pytest
from small_sweep import Trial, finish, submit

from results.errors import QueryError
from results.query.aggregate import aggregate
from results.query.condition import where
from results.query.outcomes import trial_outcomes
from results.query.tables import Tables
from results.query.versus import add_versus, compare_methods
from results.store.layout import plan_name
from results.store.store import Store


def run(store: Store, sweep: str, trials: Sequence[Trial], top1_pct: Sequence[float]) -> None:
    submit(store, sweep, 1, list(trials))
    for trial, accuracy in zip(trials, top1_pct, strict=False):
        finish(store, trial, accuracy)


@pytest.fixture
def two(store: Store) -> Store:
    """FairDARTS and DARTS with four seeds in common, in two sweeps, and three random models."""
    run(store, "a", [Trial("fairdarts", seed) for seed in range(5)], [97.4, 97.5, 97.6, 97.7, 97.4])
    run(store, "b", [Trial("darts", seed) for seed in range(4)], [97.0, 97.1, 97.0, 97.3])
    run(store, "c", [Trial("random M=2", seed) for seed in range(3)], [97.0, 97.2, 97.4])
    return store


def test_methods_of_two_sweeps_are_compared_by_seed(two: Store) -> None:
    (row,) = compare_methods(trial_outcomes(two), "fairdarts", "darts").to_pylist()

    assert (row["n_a"], row["n_b"], row["num_pairs"]) == (5, 4, 4)
    assert row["seeds_without_partner"] == "4"
    assert row["difference"] == pytest.approx(0.45)
    assert (row["test"], row["p"], row["p_holm"]) == ("paired permutation", 0.125, 0.125)


def test_samples_share_no_seed_with_searches(two: Store) -> None:
    (row,) = compare_methods(trial_outcomes(two), "darts", "random").to_pylist()

    assert (row["test"], row["num_pairs"], row["seeds_without_partner"]) == ("Welch", 0, None)


def test_every_row_is_compared_with_one_method_of_any_sweep(two: Store) -> None:
    outcomes = trial_outcomes(two)
    table = add_versus(aggregate(outcomes), outcomes, "darts").set_index("method")

    assert table["num_pairs"].fillna(-1).to_dict() == {"fairdarts": 4, "darts": -1, "random": 0}
    assert table["difference"].isna().to_dict()["darts"]
    assert table["test"]["random"] == "Welch"


def test_the_improvement_over_random_models_is_relative_to_their_mean(two: Store) -> None:
    outcomes = trial_outcomes(two)
    by_random, by_darts = (
        add_versus(aggregate(outcomes), outcomes, name).set_index("method")
        for name in ("random", "darts")
    )

    improvement = by_random["random_improvement_pct"]
    assert improvement["fairdarts"] == pytest.approx(100 * (97.52 - 97.2) / 97.2)
    assert improvement.isna().to_dict() == {"fairdarts": False, "darts": False, "random": True}
    assert by_darts["random_improvement_pct"].isna().all()


def test_ps_are_corrected_for_the_rows_of_a_block(store: Store) -> None:
    trials = [Trial(name, seed) for name in ("darts", "a", "b") for seed in range(3)]
    run(store, "exp", trials, [97.0, 97.1, 97.2, 98.0, 98.2, 98.1, 97.0, 97.2, 97.2])
    outcomes = trial_outcomes(store)
    table = add_versus(aggregate(outcomes), outcomes, "darts").set_index("method")

    assert table.loc[["a", "b"], "p"].tolist() == [0.25, 1.0]
    assert table.loc[["a", "b"], "p_holm"].tolist() == [0.5, 1.0]


def test_a_name_that_is_unknown_or_means_several_is_refused(two: Store) -> None:
    run(two, "d", [Trial("darts", seed, settings=(("epochs", 5),)) for seed in range(2)], [96, 97])
    outcomes = trial_outcomes(two)

    with pytest.raises(QueryError, match="no method is called 'dart'; there are 'fairdarts', "):
        compare_methods(outcomes, "dart", "random")
    with pytest.raises(QueryError, match=r"'darts' could be 'darts .*epochs=2' \(group "):
        compare_methods(outcomes, "darts", "random")
    (row,) = compare_methods(outcomes, "darts search.epochs=5", "random M=2").to_pylist()
    assert row["n_a"] == 2
    # Each sweep has a method of that name, so there its table would not need an id.
    with pytest.raises(QueryError, match=r"'darts' could be 'darts' \(group \w+\), 'darts' \("):
        add_versus(aggregate(outcomes), outcomes, "darts")
    id_ = outcomes[outcomes["sweep"] == "d"]["group_id"].iloc[0]
    table = add_versus(aggregate(outcomes), outcomes, id_[:8])
    assert table["num_pairs"].notna().sum() == 3


def test_methods_without_a_recipe_in_common_are_not_compared(two: Store) -> None:
    run(two, "d", [Trial("other", 0, recipe="cifar-1600")], [97.0])

    with pytest.raises(QueryError, match="no data set and recipe in common"):
        compare_methods(trial_outcomes(two), "other", "darts")


def test_a_condition_chooses_trials_and_the_rows_of_their_stages(two: Store) -> None:
    some = where(Tables(two), "method = 'darts' AND search_seed < 2")

    assert [row["search_seed"] for row in some.planned] == [0, 1]
    assert some.read("retrains").num_rows == 2


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("topp = 'darts'", 'where .*column "topp" not found'),
        ("true) UNION SELECT 1, 2, 3 --", "where"),
        ("true); DROP TABLE trials; --", "syntax error"),
        ("", "where is empty"),
    ],
)
def test_what_is_not_a_condition_is_refused(two: Store, condition: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        where(Tables(two), condition)


def test_a_group_that_two_sweeps_call_differently_has_its_shortest_label(store: Store) -> None:
    """The first sweep varies a setting, so that its label of the same group is longer."""
    usual, other = Trial("darts", 0), Trial("darts", 0, settings=(("weight_lr", 1.0),))
    named = usual.row("a", 1) | {"group_label": "darts batch_size=30"}
    store.write_rows("trials", plan_name("a", 1), [named])
    submit(store, "b", 1, [other])
    submit(store, "c", 1, [usual, Trial("fairdarts", 0)])
    for trial in (usual, other, Trial("fairdarts", 0)):
        finish(store, trial, 97.0)

    with pytest.raises(QueryError, match=r"'darts' could be 'darts search\.weight_lr="):
        compare_methods(trial_outcomes(store), "fairdarts", "darts")


def test_both_sides_have_their_means_and_numbers_of_trials(two: Store) -> None:
    (row,) = compare_methods(trial_outcomes(two), "fairdarts", "darts").to_pylist()

    assert row["top1_pct_mean_a"] - row["top1_pct_mean_b"] == pytest.approx(97.52 - 97.1)
    assert (row["num_ok_a"], row["planned_a"], row["num_trainings_a"]) == (5, 5, 5)
    assert (row["num_ok_b"], row["planned_b"], row["num_trainings_b"]) == (4, 4, 4)


def test_a_side_without_a_result_has_no_mean(store: Store) -> None:
    submit(store, "exp", 1, [Trial(name, 0) for name in ("darts", "fairdarts")])
    finish(store, Trial("darts", 0), 97.0)
    (row,) = compare_methods(trial_outcomes(store), "darts", "fairdarts").to_pylist()

    assert (row["top1_pct_mean_a"], row["top1_pct_std_a"]) == (97.0, None)
    assert (row["top1_pct_mean_b"], row["num_ok_b"], row["planned_b"]) == (None, 0, 1)
