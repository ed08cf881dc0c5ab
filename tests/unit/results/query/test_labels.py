"""Groups of one table that share a label are told apart by their settings."""

import json

from small_sweep import Trial, submit

from results.query.aggregate import aggregate
from results.query.labels import MAX_SETTINGS, settings
from results.query.outcomes import trial_outcomes
from results.store.store import Store


def labels(store: Store) -> list[str]:
    outcomes = trial_outcomes(store, all_submissions=True)
    return aggregate(outcomes)["group_label"].tolist()


def test_a_setting_that_differs_between_submissions_is_in_the_label(store: Store) -> None:
    for submission, size in enumerate((32, 64, 96), start=1):
        trials = [Trial("darts", seed, settings=(("batch_size", size),)) for seed in range(2)]
        submit(store, "exp", submission, [*trials, Trial("fairdarts", 0)])

    assert sorted(labels(store)) == [
        "darts search.batch_size=32",
        "darts search.batch_size=64",
        "darts search.batch_size=96",
        "fairdarts",
    ]


def test_labels_of_different_sweeps_and_recipes_stay_as_they_are(store: Store) -> None:
    submit(store, "a", 1, [Trial("darts", 0), Trial("darts", 0, recipe="cifar-1600")])
    submit(store, "b", 1, [Trial("darts", 0)])
    assert labels(store) == ["darts"] * 3


def test_more_differences_than_fit_are_cut_and_the_group_is_named(store: Store) -> None:
    many = [(f"a{number}", 0) for number in range(MAX_SETTINGS)]
    for submission, last in enumerate((1, 2), start=1):
        changed = tuple(many) if last == 1 else ()
        trial = Trial("darts", 0, settings=(*changed, ("z", last)))
        submit(store, "exp", submission, [trial])
    first, second = labels(store)
    assert first != second
    same = [Trial("x", 0, settings=(*((f"a{n}", 0) for n in range(5)), ("z", z))) for z in (1, 2)]
    submit(store, "other", 1, [*same, Trial("x", 0)])
    told = [label for label in labels(store) if label.startswith("x")]
    assert len(set(told)) == 3
    assert sum("group=" in label for label in told) == 2


def test_settings_have_their_full_names() -> None:
    stages = [
        {"kind": "search", "config": {"search": {"epochs": 2}, "data": {"source": "digits"}}},
        {"kind": "derive", "config": {"rule": "threshold"}},
    ]
    assert settings(json.dumps(stages)) == {
        "search.epochs": 2,
        "data.source": "digits",
        "derive.rule": "threshold",
    }
