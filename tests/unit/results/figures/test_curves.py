import math

import pytest
from small_sweep import Trial, submit

from results.figures import curves
from results.figures.kind import Options
from results.query.tables import Tables
from results.store.layout import live_name
from results.store.store import Store


def _train(store: Store, trial: Trial, losses: list[float]) -> None:
    rows = [
        {"stage_key": trial.retrain_key, "kind": "retrain", "epoch": epoch, "test_loss": loss}
        for epoch, loss in enumerate(losses)
    ]
    store.write_rows("epochs", live_name(trial.retrain_key, 1), rows)


def test_retrainings_are_averaged_before_searches_and_what_is_not_finite_is_left_out(
    store: Store,
) -> None:
    first, again, second = Trial("darts", 0), Trial("darts", 0, retrain_seed=1), Trial("darts", 1)
    submit(store, "exp", 1, [first, again, second])
    _train(store, first, [2.0, 1.0])
    _train(store, again, [4.0, math.nan])
    _train(store, second, [5.0])
    rows = curves.data(Tables(store), Options())
    columns = ["group_label", "kind", "metric", "epoch", "n", "mean", "std"]
    of_first, of_second = rows[columns].values.tolist()
    # Means of searches at epoch 0 are 3 and 5, and their standard deviation is 2 ** 0.5.
    assert of_first == ["darts", "retrain", "test_loss", 0, 2, 4.0, pytest.approx(2**0.5)]
    assert of_second[:6] == ["darts", "retrain", "test_loss", 1, 1, 1.0]
    assert math.isnan(of_second[6])
