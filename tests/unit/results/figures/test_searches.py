"""Which searches a figure shows: groups by their own settings, and one trial by its id."""

import pytest
from small_sweep import Trial, finish_search, submit

from results.errors import QueryError
from results.figures.kind import Options
from results.figures.searches import searches
from results.query.tables import Tables
from results.store.store import Store


def test_trials_that_share_a_search_count_once_whatever_they_were_retrained_with(
    store: Store,
) -> None:
    seeds = [Trial("fairdarts", seed, retrain) for seed in range(2) for retrain in range(3)]
    submit(store, "exp", 1, seeds)
    # The second sweep has one of the searches again, and so another group of trials.
    submit(store, "again", 1, [Trial("fairdarts", 0, recipe=None)])
    found, note = searches(Tables(store), Options())
    assert found["search_seed"].tolist() == [0, 1]
    assert set(found["group_label"]) == {"fairdarts"}
    assert not note


def test_groups_of_one_label_are_told_apart_by_their_settings(store: Store) -> None:
    trials = [Trial("fairdarts", 0, settings=(("batch_size", size),)) for size in (32, 64)]
    submit(store, "exp", 1, trials)
    found, _ = searches(Tables(store), Options())
    assert found["group_label"].tolist() == [
        "fairdarts search.batch_size=32",
        "fairdarts search.batch_size=64",
    ]


def test_groups_beyond_the_limit_are_left_out_and_said(store: Store) -> None:
    submit(
        store,
        "exp",
        1,
        [Trial(f"fairdarts-{number}", 0, settings=(("w", number),)) for number in range(5)],
    )
    found, note = searches(Tables(store), Options(), max_groups=3)
    assert len(found) == 3
    assert note == "The first 3 of 5 groups: --where chooses others."


def test_one_trial_is_found_by_its_first_digits(store: Store) -> None:
    trials = [Trial("fairdarts", seed) for seed in range(3)]
    submit(store, "exp", 1, trials)
    finish_search(store, trials[1])
    trial_id = trials[1].row("exp", 1)["trial_id"]
    found, _ = searches(Tables(store), Options(trial=trial_id[:8].upper()))
    assert found["search_key"].tolist() == [trials[1].search_key]


@pytest.mark.parametrize(("text", "said"), [("", "several|not the id"), ("nix", "not the id")])
def test_a_trial_that_is_not_there_is_refused(example: Store, text: str, said: str) -> None:
    with pytest.raises(QueryError, match=said):
        searches(Tables(example), Options(trial=text))
