import pytest
from small_sweep import Trial, finish, finish_retrain, submit

from results.figures import ranking
from results.figures.kind import Options
from results.query.correlation import correlations
from results.query.tables import Tables
from results.store.store import Store


def test_tau_is_that_of_corr_and_a_search_is_one_point(store: Store) -> None:
    fair, darts = ([Trial(label, seed) for seed in range(4)] for label in ("fairdarts", "darts"))
    again = Trial("fairdarts", 0, retrain_seed=1)
    submit(store, "exp", 1, [*fair, *darts, again])
    # The accuracy of a search grows with its seed: of 6 pairs, 4 are in order and 2 are not.
    for trial, top1_pct in zip(fair, [91.0, 93.0, 94.0, 92.0], strict=True):
        finish(store, trial, top1_pct)
    finish_retrain(store, again, 90.0)
    for trial in darts:
        finish(store, trial, 80.0 + trial.seed)
    rows = ranking.data(Tables(store), Options())
    assert list(rows["label"].unique()) == ["fairdarts", "darts"]
    assert sorted(rows["test_top1_pct"])[-4:] == [90.5, 92.0, 93.0, 94.0]
    taus = rows.groupby("label")["tau"].first()
    assert taus["fairdarts"] == pytest.approx((4 - 2) / 6)
    assert taus["darts"] == pytest.approx(1.0)
    printed = {row["method"]: row for row in correlations(Tables(store)).to_pylist()}
    first = rows.iloc[0]
    assert first["all_n"] == 8
    for ours, theirs in (("all_tau", "tau"), ("all_tau_low", "low"), ("all_tau_high", "high")):
        assert first[ours] == printed["all methods"][theirs]
    assert ranking.KIND.picture(rows, Options(), "svg").count("τ = +0.33, n = 4".encode()) == 1
