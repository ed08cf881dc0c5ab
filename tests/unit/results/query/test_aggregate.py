import math

import pytest
from small_sweep import Trial, finish, finish_genotype, finish_search, submit

from results.query.aggregate import COLUMNS, aggregate
from results.query.outcomes import trial_outcomes
from results.store.layout import live_name
from results.store.store import Store


def test_means_and_sample_stds_are_those_computed_by_hand(example: Store) -> None:
    searched = aggregate(trial_outcomes(example)).iloc[0]

    # 97.0, 97.2, 97.7: mean 97.3, deviations -0.3, -0.1, 0.4, variance 0.26 / 2.
    assert searched["top1_pct_mean"] == pytest.approx(97.3)
    assert searched["top1_pct_std"] == pytest.approx(math.sqrt(0.13))
    assert searched["best_top1_pct_mean"] == pytest.approx(97.4)
    assert math.isnan(searched["val_top1_pct_mean"])  # No images were held out.
    # 2.9, 3.0, 3.4: mean 3.1, deviations -0.2, -0.1, 0.3, variance 0.14 / 2; 150 MultAdds each.
    assert searched["params_m_mean"] == pytest.approx(3.1)
    assert searched["params_m_std"] == pytest.approx(math.sqrt(0.07))
    assert searched["multadds_m_mean"] == pytest.approx(465.0)
    assert searched["num_skips_normal_mean"] == 2.0
    assert searched["search_s_mean"] == 201.0
    assert searched["retrain_s_mean"] == 5000.0


def test_what_is_missing_from_a_group_is_counted_and_explained(example: Store) -> None:
    searched, sampled = aggregate(trial_outcomes(example)).to_dict("records")

    counts = ["n", "planned", "num_ok", "num_failed", "num_invalid", "num_unfinished", "complete"]
    assert [searched[name] for name in counts] == [3, 5, 3, 1, 0, 1, False]
    failed, unfinished = searched["notes"]
    assert failed.startswith("1 failed (oom in search, OutOfMemoryError: 2 GiB), such as trial ")
    assert unfinished.startswith("1 unfinished, such as trial ")
    assert [sampled[name] for name in counts] == [1, 1, 1, 0, 0, 0, True]
    assert sampled["notes"] == ()
    assert math.isnan(sampled["top1_pct_std"])


def test_an_epoch_that_nobody_could_choose_is_said(example: Store) -> None:
    rows = aggregate(trial_outcomes(example), "val").to_dict("records")

    why = "no training images were held out (retrain.num_validation) to choose an epoch"
    assert [row["notes"][-1] for row in rows] == [why, why]


def test_retrain_seeds_of_one_search_are_averaged_before_searches_are(store: Store) -> None:
    trials = [Trial("darts", 0, 0), Trial("darts", 0, 1), Trial("darts", 1, 0)]
    submit(store, "exp", 1, trials)
    for trial, top1_pct in zip(trials, [96.0, 97.0, 97.5], strict=True):
        finish(store, trial, top1_pct)

    (row,) = aggregate(trial_outcomes(store)).to_dict("records")

    assert (row["n"], row["num_ok"], row["planned"]) == (2, 3, 3)
    assert row["top1_pct_mean"] == 97.0
    assert row["top1_pct_std"] == pytest.approx(math.sqrt(0.5))


def test_equal_reasons_are_told_once(store: Store) -> None:
    trials = [Trial("fairdarts w=0", seed) for seed in range(3)]
    submit(store, "exp", 1, trials)
    for trial in trials:
        finish_search(store, trial)
        finish_genotype(store, trial, invalid_reason="no gate reaches 0.85")

    (row,) = aggregate(trial_outcomes(store)).to_dict("records")

    assert row["notes"] == (
        f"3 invalid (no gate reaches 0.85), such as trial {trials[0].retrain_key}",
    )
    assert (row["n"], row["num_invalid"]) == (0, 3)
    assert math.isnan(row["top1_pct_mean"])


def test_recipes_data_sets_and_sweeps_are_never_averaged_together(store: Store) -> None:
    trials = [
        Trial("darts", 0),
        Trial("darts", 0, recipe="cifar-1600"),
        Trial("darts", 0, dataset="digits"),
    ]
    submit(store, "a", 1, trials)
    submit(store, "b", 1, trials[:1])
    for trial in trials:
        finish(store, trial, 97.0)

    frame = aggregate(trial_outcomes(store))

    assert frame["planned"].tolist() == [1, 1, 1, 1]


def test_searches_alone_have_a_table_without_accuracy(store: Store) -> None:
    trial = Trial("darts", 0, recipe=None)
    submit(store, "exp", 1, [trial])
    finish_search(store, trial)
    finish_genotype(store, trial)

    (row,) = aggregate(trial_outcomes(store)).to_dict("records")

    assert (row["n"], row["complete"], row["search_s_mean"]) == (1, True, 201.0)
    assert math.isnan(row["top1_pct_mean"])


def test_a_copied_training_is_counted_as_one_and_its_time_once(store: Store) -> None:
    first, twin, other = (Trial("darts", seed) for seed in range(3))
    submit(store, "exp", 1, [first, twin, other])
    for trial, top1_pct in ((first, 97.0), (twin, 97.0), (other, 96.0)):
        finish(store, trial, top1_pct)
    row = {"stage_key": twin.retrain_key, "test_top1_pct": 97.0, "wall_s": 5000.0}
    row |= {"trained_as": first.retrain_key}
    store.write_rows("retrains", live_name(twin.retrain_key, 1), [row])

    outcomes = trial_outcomes(store)
    (group,) = aggregate(outcomes).to_dict("records")

    assert outcomes["retrain_s"].sum() == 10_000.0
    assert (group["n"], group["num_trainings"], group["retrain_s_mean"]) == (3, 2, 5000.0)
    assert group["top1_pct_mean"] == pytest.approx(290.0 / 3)
    (note,) = group["notes"]
    assert note == (
        f"1 of 3 ok trials came to the genotype of another trial and have its result, such as "
        f"trial {twin.retrain_key} that of {first.retrain_key}; the ok trials hold 2 distinct "
        "trainings"
    )


def test_searches_and_trials_are_counted_apart(store: Store) -> None:
    trials = [Trial("darts", seed, retrain) for seed in range(2) for retrain in range(3)]
    submit(store, "exp", 1, trials)
    for trial in trials[:4]:
        finish(store, trial, 97.0)

    (row,) = aggregate(trial_outcomes(store)).to_dict("records")

    assert (row["n"], row["planned_searches"]) == (2, 2)
    assert (row["num_ok"], row["planned"], row["num_unfinished"]) == (4, 6, 2)


def test_nothing_planned_gives_an_empty_table(store: Store) -> None:
    frame = aggregate(trial_outcomes(store))

    assert list(frame.columns) == COLUMNS
    assert len(frame) == 0
