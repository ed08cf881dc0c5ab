import pytest
from small_sweep import (
    Trial,
    attempt,
    finish,
    finish_genotype,
    finish_retrain,
    finish_search,
    submit,
)

from results.errors import StoreError
from results.query.aggregate import aggregate
from results.query.outcomes import trial_outcomes
from results.query.tables import Tables
from results.statuses import TrialOutcome
from results.store.layout import live_name
from results.store.store import Store


def test_an_empty_store_has_no_outcomes_but_all_columns(store: Store) -> None:
    frame = trial_outcomes(store)

    assert len(frame) == 0
    assert {"sweep", "trial_id", "outcome", "test_top1_pct", "search_s"} <= set(frame.columns)


def test_every_planned_trial_has_a_row_in_the_order_of_the_plan(example: Store) -> None:
    frame = trial_outcomes(example)

    assert frame["label"].tolist() == [
        *(f"fairdarts w=10 seed={seed}" for seed in range(5)),
        "random M=2 seed=0",
    ]
    assert frame["outcome"].tolist() == [
        TrialOutcome.OK,
        TrialOutcome.OK,
        TrialOutcome.OK,
        TrialOutcome.FAILED,
        TrialOutcome.UNFINISHED,
        TrialOutcome.OK,
    ]


def test_a_finished_trial_is_joined_with_its_stages(example: Store) -> None:
    searched, *_, sampled = trial_outcomes(example).to_dict("records")

    assert searched["search_s"] == 100.0 + 101.0
    assert searched["retrain_s"] == 5000.0
    assert (searched["test_top1_pct"], searched["params"]) == (97.0, 2_900_000)
    assert searched["num_skips_normal"] == sampled["num_skips_normal"] == 2
    assert sampled["test_top1_pct"] == 96.5


def test_a_seed_stays_an_integer_beside_trials_without_one(example: Store) -> None:
    frame = trial_outcomes(example)

    assert frame["search_seed"].tolist()[:5] == [0, 1, 2, 3, 4]
    assert str(frame["search_seed"].dtype) == "Int64"
    assert frame["search_seed"].isna().tolist() == [False] * 5 + [True]


def test_a_failed_search_fails_its_trial_and_says_why(example: Store) -> None:
    failed = trial_outcomes(example).iloc[3]

    assert failed["failure_kind"] == "oom"
    assert failed["reason"] == "oom in search, OutOfMemoryError: 2 GiB"


def test_only_the_newest_attempt_tells_whether_a_stage_failed(store: Store) -> None:
    trial = Trial("darts", 0)
    submit(store, "exp", 1, [trial])
    attempt(store, trial.search_key, "search", "failed", number=1)
    attempt(store, trial.search_key, "search", "running", number=2)

    assert trial_outcomes(store)["outcome"].tolist() == [TrialOutcome.UNFINISHED]

    attempt(store, trial.search_key, "search", "failed", number=10)
    assert trial_outcomes(store)["outcome"].tolist() == [TrialOutcome.FAILED]


def test_a_genotype_without_a_network_is_invalid_not_failed(store: Store) -> None:
    trial = Trial("fairdarts w=0", 0)
    submit(store, "exp", 1, [trial])
    finish_search(store, trial)
    finish_genotype(store, trial, invalid_reason="no gate reaches 0.85")

    row = trial_outcomes(store).iloc[0]

    assert (row["outcome"], row["reason"]) == (TrialOutcome.INVALID, "no gate reaches 0.85")


def test_a_retraining_counts_once_its_attempt_has_ended(store: Store) -> None:
    trial = Trial("darts", 0)
    submit(store, "exp", 1, [trial])
    finish_genotype(store, trial)
    finish_retrain(store, trial, 97.0)
    attempt(store, trial.retrain_key, "retrain", "running")

    assert trial_outcomes(store)["outcome"].tolist() == [TrialOutcome.UNFINISHED]


def test_a_result_outlives_a_failed_second_try_of_its_search(store: Store) -> None:
    trial = Trial("darts", 0)
    submit(store, "exp", 1, [trial])
    finish(store, trial, 97.0)
    attempt(store, trial.search_key, "search", "failed", number=2)

    assert trial_outcomes(store)["outcome"].tolist() == [TrialOutcome.OK]


def test_a_search_without_retraining_is_ok_when_its_genotype_is_there(store: Store) -> None:
    trial = Trial("darts", 0, recipe=None)
    submit(store, "exp", 1, [trial])
    finish_search(store, trial)
    assert trial_outcomes(store)["outcome"].tolist() == [TrialOutcome.UNFINISHED]

    finish_genotype(store, trial)
    assert trial_outcomes(store)["outcome"].tolist() == [TrialOutcome.OK]


def test_the_newest_submission_is_the_plan_and_the_rest_is_counted(store: Store) -> None:
    old, kept, new = (Trial("darts", seed) for seed in range(3))
    submit(store, "exp", 1, [old, kept])
    submit(store, "exp", 2, [kept, new])
    submit(store, "other", 1, [old])

    assert trial_outcomes(store, ["exp"])["search_seed"].tolist() == [1, 2]
    assert Tables(store, ["exp"]).left_out == {"exp": 1}
    assert Tables(store, ["exp"], all_submissions=True).left_out == {}
    everything = trial_outcomes(store, ["exp"], all_submissions=True)
    assert everything["search_seed"].tolist() == [0, 1, 2]
    assert everything["submission"].tolist() == [1, 2, 2]


def test_a_trial_of_two_sweeps_counts_in_each_and_is_computed_once(store: Store) -> None:
    trial = Trial("darts", 0)
    submit(store, "a", 1, [trial])
    submit(store, "b", 1, [trial])
    finish(store, trial, 97.0)

    frame = trial_outcomes(store)

    assert frame["sweep"].tolist() == ["a", "b"]
    assert frame["test_top1_pct"].tolist() == [97.0, 97.0]


def test_an_unknown_sweep_is_refused_with_those_there_are(store: Store) -> None:
    submit(store, "exp", 1, [Trial("darts", 0)])

    with pytest.raises(StoreError, match=r"has no sweep 'exq'; it has exp\."):
        trial_outcomes(store, ["exq"])


def test_damaged_images_are_counted_over_all_attempts_and_stages(store: Store) -> None:
    first, second = (Trial("darts", seed) for seed in range(2))
    submit(store, "exp", 1, [first, second])
    finish(store, first, 97.0)
    attempt(store, first.search_key, "search", "running", num_damaged=2)
    attempt(store, first.search_key, "search", "ok", number=2, num_damaged=0)  # Had little left.
    assert trial_outcomes(store)["num_damaged"].fillna(-1).tolist() == [2, -1]

    attempt(store, first.retrain_key, "retrain", "ok", num_damaged=5)
    finish(store, second, 97.0)
    row = {"stage_key": second.retrain_key, "test_top1_pct": 97.0, "trained_as": first.retrain_key}
    store.write_rows("retrains", live_name(second.retrain_key, 1), [row])
    assert trial_outcomes(store)["num_damaged"].tolist() == [5, 5]
    _, note = aggregate(trial_outcomes(store))["notes"].iloc[0]  # The first is on the copy.
    assert note.startswith("2 of 2 left out damaged images (up to 5, named in the logs of trial ")
