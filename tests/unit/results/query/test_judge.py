"""Correlation of accuracies, and the checklist."""

import json
import math

import pytest
from scipy import stats
from small_sweep import Trial, attempt, finish, key, submit

from results.errors import QueryError
from results.query.checklist import checklist
from results.query.condition import where
from results.query.correlation import correlations, kendall
from results.query.outcomes import trial_outcomes
from results.query.power import power_table
from results.query.tables import Tables
from results.store.layout import live_name, plan_name
from results.store.store import Store


@pytest.fixture
def searched(store: Store) -> Store:
    """Nine searches whose own accuracy grows with that of their network, but for one."""
    trials = [Trial("fairdarts", seed) for seed in range(9)] + [Trial("random", 0)]
    submit(store, "exp", 1, trials)
    for trial in trials:
        finish(store, trial, 97.0 + trial.seed / 10)
    for seed in range(9):
        rows = [
            {"stage_key": trials[seed].search_key, "kind": "search", "epoch": epoch}
            | {"arch_top1_pct": 90.0 + (epoch * seed if seed < 8 else -1)}
            for epoch in range(2)
        ]
        store.write_rows("epochs", live_name(trials[seed].search_key, 1), rows)
    return store


def test_the_last_epoch_of_the_search_is_correlated_with_the_network(searched: Store) -> None:
    (row,) = correlations(Tables(searched)).to_pylist()

    ours, theirs = [*range(8), -1], range(9)
    assert (row["method"], row["n"]) == ("fairdarts", 9)
    assert row["tau"] == pytest.approx(stats.kendalltau(ours, theirs).statistic)
    half = stats.norm.ppf(0.975) * math.sqrt(0.437 / 5)
    assert math.atanh(row["high"]) - math.atanh(row["tau"]) == pytest.approx(half)
    assert row["low"] < row["tau"] < row["high"]


def test_a_search_that_two_sweeps_call_differently_is_of_one_method(store: Store) -> None:
    trials = [Trial("darts", seed) for seed in range(2)]
    for sweep, other_name in (("a", 0), ("b", 1)):
        rows = [trial.row(sweep, 1) for trial in trials]
        rows[other_name] |= {"group_label": "darts lr=0.1"}
        store.sweep_dir(sweep).mkdir(parents=True)
        store.write_rows("trials", plan_name(sweep, 1), rows)
    for trial in trials:
        finish(store, trial, 97.0 + trial.seed)
    (row,) = correlations(Tables(store)).to_pylist()
    assert (row["method"], row["n"]) == ("darts", 2)


def test_groups_with_the_same_label_and_other_settings_are_correlated_apart(store: Store) -> None:
    for sweep, settings in (("a", ()), ("b", (("weight_lr", 1.0),))):
        trials = [Trial("darts", seed, settings=settings) for seed in range(3)]
        submit(store, sweep, 1, trials)
        for trial in trials:
            finish(store, trial, 97.0 + trial.seed)
    both, *apart = correlations(Tables(store)).to_pylist()
    assert (both["method"], both["n"], both["num_trainings"]) == ("all methods", 6, 6)
    assert {(row["method"], row["n"]) for row in apart} == {
        ("darts search.weight_lr=None", 3),
        ("darts search.weight_lr=1.0", 3),
    }


def test_a_search_of_two_groups_counts_once_among_all_methods(store: Store) -> None:
    trials = [Trial("darts", 0, retrain_seed) for retrain_seed in range(2)]
    rows = [trial.row("a", 1) for trial in trials]
    rows[1] |= {"group_id": key("other"), "group_label": "darts op_threshold=0.5"}
    store.sweep_dir("a").mkdir(parents=True)
    store.write_rows("trials", plan_name("a", 1), rows)
    for trial in trials:
        finish(store, trial, 97.0)
    found = correlations(Tables(store)).to_pylist()
    assert [(row["n"], row["num_trainings"]) for row in found] == [(1, 2), (1, 1), (1, 1)]


def test_a_correlation_that_cannot_be_computed_is_missing() -> None:
    assert kendall([1.0, 1.0], [1.0, 2.0]) == (2, None, None, None, None)
    assert kendall([1.0, 2.0], [1.0, 2.0])[:4] == (2, 1.0, None, None)


def test_without_accuracies_of_searches_there_is_nothing_to_correlate(store: Store) -> None:
    submit(store, "exp", 1, [Trial("random", 0)])
    finish(store, Trial("random", 0), 97.0)
    with pytest.raises(QueryError, match="no finished trial has both"):
        correlations(Tables(store))


def test_the_checklist_answers_from_the_store(searched: Store) -> None:
    versions = json.dumps({"commit": "c0ffee", "torch": "2.10"})
    for stage in (Trial("fairdarts", 0).search_key, Trial("fairdarts", 1).search_key):
        attempt(searched, stage, "search", "ok", versions_json=versions, device="cpu", wall_s=3600)

    table = checklist(Tables(searched)).to_pylist()
    answers = {row["point"]: (row["answer"], row["evidence"]) for row in table}

    assert answers["Is the code that was run known?"] == ("yes", "one commit: c0ffee")
    assert answers["Is there a comparison with random networks?"][0] == "yes"
    assert answers["Are there ablations?"][0] == "no"
    answer, evidence = answers["Is every method run several times?"]
    assert (answer, evidence.split(";")[0]) == (
        "partly",
        "1 to 9 searches or samples of each of 2 methods",
    )
    assert "search 2.00 h" in answers["Is the time of all of it known?"][1]
    assert answers["Is it said how settings were tuned?"][0] == "not in the store"


def test_failures_that_a_condition_leaves_out_are_not_counted(example: Store) -> None:
    rows = checklist(where(Tables(example), "outcome = 'ok'")).to_pylist()
    (row,) = [row for row in rows if "failed and missing" in row["point"]]
    assert row["answer"] == "partly"
    assert row["evidence"].endswith("Left out: 1 failed, 1 unfinished.")


def test_the_time_of_a_training_that_another_trial_did_is_missed(store: Store) -> None:
    first, twin = Trial("darts", 0), Trial("darts", 1)
    submit(store, "exp", 1, [first, twin])
    for trial in (first, twin):
        finish(store, trial, 97.0)
        stages = (trial.search_key, trial.genotype_key, trial.retrain_key)
        for stage, kind in zip(stages, ("search", "derive", "retrain"), strict=True):
            attempt(store, stage, kind, "ok", wall_s=3600)
    row = {"stage_key": twin.retrain_key, "test_top1_pct": 97.0, "trained_as": first.retrain_key}
    store.write_rows("retrains", live_name(twin.retrain_key, 1), [row])
    answers = []
    for condition in ("true", "search_seed = 1"):
        rows = checklist(where(Tables(store), condition)).to_pylist()
        (answer,) = [row for row in rows if "the time of all" in row["point"]]
        answers.append((answer["answer"], answer["evidence"].partition("included)")[2]))
    lacking = ", without 1 training(s) whose results trials here share with others"
    assert answers == [("yes", ""), ("partly", lacking)]


def test_a_method_that_never_came_to_a_result_was_not_run_several_times(store: Store) -> None:
    trials = [Trial(name, seed) for name in ("darts", "fairdarts") for seed in range(6)]
    submit(store, "exp", 1, trials)
    for trial in trials[:6]:
        finish(store, trial, 97.0)
    for trial in trials[6:]:
        attempt(store, trial.search_key, "search", "failed")
    rows = {row["point"]: row for row in checklist(Tables(store)).to_pylist()}
    row = rows["Is every method run several times?"]
    assert row["answer"] == "partly"
    assert row["evidence"].startswith("0 to 6 searches or samples of each of 2 methods;")


def test_a_commit_whose_files_were_edited_does_not_tell_the_code(searched: Store) -> None:
    versions = json.dumps({"commit": "c0ffee-dirty"})
    attempt(searched, Trial("fairdarts", 0).search_key, "search", "ok", versions_json=versions)
    row = checklist(Tables(searched)).to_pylist()[0]
    assert row["answer"] == "partly"
    assert row["evidence"].startswith("one commit: c0ffee-dirty; the changes since are in")


def test_an_empty_store_has_a_checklist_too(store: Store) -> None:
    assert set(checklist(Tables(store))["answer"].to_pylist()) <= {
        "yes",
        "partly",
        "no",
        "not in the store",
    }


def test_seeds_are_counted_for_the_spread_of_each_method(searched: Store) -> None:
    (row,) = power_table(0.13, 0.8, outcomes=trial_outcomes(searched)).to_pylist()

    assert (row["spread_of"], row["n"]) == ("fairdarts", 9)
    assert row["std"] == pytest.approx(math.sqrt(7.5) / 10)
    assert (row["seeds"], row["pairs"]) == (71, 6)


def test_spreads_on_two_data_sets_are_told_apart(store: Store) -> None:
    for number, dataset in enumerate(("cifar10", "digits")):
        trials = [Trial("darts", seed, dataset=dataset) for seed in range(2)]
        submit(store, "exp", 1 + number, trials)
        for trial in trials:
            finish(store, trial, 97.0 + trial.seed)
    rows = power_table(0.13, 0.8, outcomes=trial_outcomes(store, all_submissions=True)).to_pylist()

    assert [(row["spread_of"], row["sweep"], row["dataset"]) for row in rows] == [
        ("darts", "exp", "cifar10"),
        ("darts", "exp", "digits"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.8, [0.1]), "must not be 0"),
        ((0.1, 1.0, [0.1]), "between 0 and 1"),
        ((1e300, 0.8, [0.1]), "more than 100 points"),
        ((float("nan"), 0.8, [0.1]), "must not be 0"),
        *(
            ((0.1, 0.8, [0.1, std]), r"std \(=0\.1, .*\) must lie between 1e-06 and 100 points")
            for std in (0.0, -1.0, 1e-300, 5e-324, 1e300, float("inf"), float("nan"))
        ),
        ((0.1, 0.8), "no method has a spread"),
    ],
)
def test_a_question_about_seeds_without_an_answer_is_refused(
    arguments: tuple, message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        power_table(*arguments)
