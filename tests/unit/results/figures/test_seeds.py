import pytest
from small_sweep import Trial, attempt, finish, finish_retrain, submit

from results.figures import seeds
from results.figures.kind import Options
from results.query.tables import Tables
from results.store.store import Store


def test_every_run_is_beside_the_mean_over_searches_and_a_group_without_runs_is_there(
    store: Store,
) -> None:
    first, again, second = Trial("darts", 0), Trial("darts", 0, retrain_seed=1), Trial("darts", 1)
    failed = Trial("fairdarts", 0)
    submit(store, "exp", 1, [first, again, second, failed])
    finish(store, first, 90.0)
    finish_retrain(store, again, 92.0)
    finish(store, second, 95.0)
    attempt(store, failed.search_key, "search", "failed")
    rows = seeds.data(Tables(store), Options())
    runs = rows[rows["group_label"] == "darts"]
    assert runs["test_top1_pct"].tolist() == [90.0, 92.0, 95.0]
    assert runs["search"].tolist() == [first.search_key, first.search_key, second.search_key]
    # Means of searches are 91 and 95, their standard deviation 8 ** 0.5; t of 1 is 12.706.
    assert runs["top1_pct_mean"].unique() == [93.0]
    assert runs["top1_pct_low"].iloc[0] == pytest.approx(93 - 12.7062 * 2, abs=1e-3)
    assert runs["top1_pct_high"].iloc[0] == pytest.approx(93 + 12.7062 * 2, abs=1e-3)
    (without,) = rows[rows["group_label"] == "fairdarts"].to_dict("records")
    assert (without["n"], without["planned_searches"]) == (0, 1)
    assert without["test_top1_pct"] != without["test_top1_pct"]
    assert seeds.KIND.picture(rows, Options(), "svg").count(b"n = 0 of 1") == 1
