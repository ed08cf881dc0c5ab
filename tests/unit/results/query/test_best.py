"""The best genotypes, and the differences between two trials."""

import pytest
from small_sweep import Trial, finish, finish_retrain, submit

from results.errors import QueryError, StoreError
from results.query.best import best, difference
from results.query.tables import Tables
from results.store.layout import live_name
from results.store.manifest import SealedStage
from results.store.seal import seal
from results.store.store import Store


def genotype(store: Store, trial: Trial, text: str) -> None:
    row = {"stage_key": trial.genotype_key, "valid": True, "genotype_json": text}
    store.write_rows("genotypes", live_name(trial.genotype_key, 1), [row])


def write(store: Store, trial: Trial, val_top1_pct: float, **retrain: object) -> None:
    row = {"stage_key": trial.retrain_key, "val_epoch": 1, **retrain}
    store.write_rows("retrains", live_name(trial.retrain_key, 1), [row])
    rows = [
        {"stage_key": trial.retrain_key, "epoch": epoch, "val_top1_pct": val_top1_pct * epoch}
        for epoch in range(2)
    ]
    store.write_rows("epochs", live_name(trial.retrain_key, 1), rows)


@pytest.fixture
def ranked(store: Store) -> Store:
    """Seeds 0 and 1 have one genotype; seed 2 is better on held-out images, worse on test ones."""
    trials = [Trial("darts", seed) for seed in range(4)]
    submit(store, "exp", 1, trials)
    for trial, text, val, test in zip(
        trials, "aab", (80.0, 84.0, 90.0), (97.0, 95.0, 94.0), strict=False
    ):
        finish(store, trial, test)
        genotype(store, trial, text)
        write(store, trial, val, test_top1_pct=test)
    return store


def test_retrainings_of_one_genotype_are_averaged(ranked: Store) -> None:
    first, second = best(Tables(ranked)).to_pylist()
    assert (first["genotype_json"], first["val_top1_pct"], first["num_trainings"]) == ("b", 90.0, 1)
    assert (second["genotype_json"], second["val_top1_pct"]) == ("a", 82.0)
    assert (second["test_top1_pct"], second["num_trainings"], second["rank"]) == (96.0, 2, 2)
    assert best(Tables(ranked), k=1).num_rows == 1


def test_the_choice_decides_the_order(ranked: Store) -> None:
    rows = best(Tables(ranked), by="test").to_pylist()
    assert [row["genotype_json"] for row in rows] == ["a", "b"]
    assert rows[0]["test_top1_pct"] == 96.0


def test_a_copied_training_has_no_second_vote(ranked: Store) -> None:
    first, twin = Trial("darts", 0), Trial("darts", 1)
    write(ranked, twin, 80.0, test_top1_pct=97.0, trained_as=first.retrain_key)
    row = best(Tables(ranked), by="test").to_pylist()[0]
    assert (row["trial_id"], row["test_top1_pct"], row["num_trainings"]) == (
        first.retrain_key,
        97.0,
        1,
    )


def test_other_images_and_recipes_are_ranked_apart(ranked: Store) -> None:
    trial = Trial("darts", 7, dataset="digits")
    submit(ranked, "other", 1, [trial])
    finish(ranked, trial, 50.0)
    rows = best(Tables(ranked), by="test").to_pylist()
    assert [(row["dataset"], row["rank"]) for row in rows] == [
        ("cifar10", 1),
        ("cifar10", 2),
        ("digits", 1),
    ]


def test_equal_scores_are_ranked_by_trial_id_in_live_and_sealed_rows(store: Store) -> None:
    """Four trials of each genotype have the same accuracies, in networks of other sizes."""
    trials = [Trial("darts", seed) for seed in range(8)]
    submit(store, "one", 1, trials)
    submit(store, "two", 1, trials[::-1])
    for number, trial in enumerate(trials):
        finish_retrain(store, trial, 97.1, params=number)
        genotype(store, trial, "ab"[number % 2])
        row = {"stage_key": trial.search_key, "kind": "search", "epoch": 0, "arch_top1_pct": 50.0}
        store.write_rows("epochs", live_name(trial.search_key, 1), [row])
    firsts = [min(trials[side::2], key=lambda trial: trial.retrain_key) for side in range(2)]
    expected = sorted((trial.retrain_key, trials.index(trial)) for trial in firsts)

    live = [best(Tables(store), by=by) for by in ("search", "test")]
    assert [(row["trial_id"], row["params"]) for row in live[0].to_pylist()] == expected
    kinds = {trial.search_key: "search" for trial in trials}
    kinds |= {trial.retrain_key: "retrain" for trial in trials}
    seal(store, {key: SealedStage(kind, 1) for key, kind in kinds.items()})
    assert [best(Tables(store), by=by) for by in ("search", "test")] == live


def test_trials_whose_genotypes_were_lost_are_not_averaged(store: Store) -> None:
    trials = [Trial("darts", 0), Trial("fairdarts", 0)]
    submit(store, "exp", 1, trials)
    for number, trial in enumerate(trials):
        finish_retrain(store, trial, 97.0 + number)
    rows = best(Tables(store), by="test").to_pylist()
    found = [(row["label"], row["test_top1_pct"], row["num_trainings"]) for row in rows]
    assert found == [("fairdarts", 98.0, 1), ("darts", 97.0, 1)]


@pytest.mark.parametrize("by", ["val", "search"])
def test_an_accuracy_that_nobody_measured_is_refused(store: Store, by: str) -> None:
    sampled = Trial("random", 0)
    submit(store, "exp", 1, [sampled])
    finish(store, sampled, 97.0)
    with pytest.raises(QueryError, match=r"no finished trial has .*: choose --by .*--by test"):
        best(Tables(store), by=by)  # type: ignore[arg-type]


@pytest.mark.parametrize("by", ["val", "search", "test"])
def test_nothing_is_ranked_before_a_trial_is_finished(store: Store, by: str) -> None:
    submit(store, "exp", 1, [Trial("darts", 0), Trial("darts", 1)])
    with pytest.raises(QueryError, match="none of 2 trials is finished yet"):
        best(Tables(store), by=by)  # type: ignore[arg-type]


def test_a_difference_names_settings_and_results(store: Store) -> None:
    first = Trial("darts", 0, settings=(("batch_size", 32),))
    second = Trial("darts", 1, settings=(("batch_size", 64),))
    submit(store, "exp", 1, [first, second])
    finish(store, first, 97.0)
    rows = {
        row["name"]: (row["a"], row["b"])
        for row in difference(Tables(store), first.retrain_key, second.retrain_key[:9]).to_pylist()
    }
    assert rows["search.batch_size"] == ("32", "64")
    assert rows["search.seed"] == ("0", "1")
    assert "search.epochs" not in rows
    assert rows["outcome"] == ("ok", "unfinished")
    assert rows["test_top1_pct"] == ("97.0", None)


def test_only_trials_can_be_compared(example: Store) -> None:
    trial = Trial("fairdarts w=10", 0)
    with pytest.raises(StoreError, match=f"{trial.search_key} is not the id of a trial"):
        difference(Tables(example), trial.retrain_key, trial.search_key)
