import pytest
from small_sweep import Trial, finish, finish_retrain, submit

from results.errors import QueryError
from results.figures.accuracy_cost import data, on_front
from results.figures.kind import Options
from results.query.tables import Tables
from results.store.store import Store


def test_the_front_has_what_nothing_is_better_than_at_the_same_cost_or_less() -> None:
    costs = [3.0, 1.0, 2.0, 2.0, 4.0, 4.0, 1.0]
    accuracies = [90.0, 85.0, 88.0, 91.0, 91.0, 92.0, 85.0]
    assert on_front(costs, accuracies) == [False, True, False, True, False, True, True]


def test_a_search_is_one_point_and_printed_points_stand_beside_searches_like_them(
    store: Store,
) -> None:
    first, again = Trial("darts", 0), Trial("darts", 0, retrain_seed=1)
    digits = Trial("darts", 0, dataset="digits")
    submit(store, "exp", 1, [first, again, digits])
    finish(store, first, 97.0)
    finish_retrain(store, again, 97.4)
    finish(store, digits, 80.0)
    rows = data(Tables(store), Options())
    measured = rows[rows["source"].isna()]
    columns = ["dataset", "test_top1_pct", "num_retrainings", "multadds_m", "on_front"]
    assert measured[columns].values.tolist() == [
        ["cifar10", pytest.approx(97.2), 2, 450.0, True],
        ["digits", 80.0, 1, 450.0, True],
    ]
    printed = rows[rows["source"].notna()]
    assert set(printed["dataset"]) == {"cifar10"}
    assert {"PC-DARTS", "FairDARTS-a"} <= set(printed["group_label"])
    assert "NASNet-A" not in set(printed["group_label"]), "it is from another search space"


def test_printed_networks_of_another_size_are_left_out(store: Store) -> None:
    small = Trial("darts", 0)
    submit(store, "exp", 1, [small])
    finish(store, small, 90.0, params=40_000)
    assert data(Tables(store), Options(x="params"))["source"].isna().all()


def test_an_unknown_axis_is_refused(example: Store) -> None:
    with pytest.raises(QueryError, match=r"flops.* must be one of multadds, params"):
        data(Tables(example), Options(x="flops"))
