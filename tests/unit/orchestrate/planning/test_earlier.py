from pathlib import Path

import pytest
from tiny_sweeps import tiny_trials

from orchestrate.errors import SweepError
from orchestrate.planning.earlier import compared, submit_beside
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import Origin, Submission, load_submission, newest_number
from orchestrate.statuses import Earlier
from results.query.planned import planned
from results.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def seeds(number: int, *assignments: str) -> list[TrialSpec]:
    matrix = {"method": ["darts"], "seed": list(range(number))}
    return tiny_trials(*assignments, matrix=matrix)


def run(store: Store, trials: list[TrialSpec], earlier: Earlier | None = None) -> Submission:
    return submit_beside(store, "tiny", trials, Resources(), Origin(), earlier)


def labels(store: Store) -> list[str]:
    return planned(store, ["tiny"])["label"].to_pylist()


def test_fewer_seeds_are_run_alone_and_hide_no_other(store: Store) -> None:
    run(store, seeds(4))
    part = run(store, seeds(2))

    assert part.trials == seeds(2)
    assert (newest_number(store, "tiny"), len(labels(store))) == (1, 4)
    assert load_submission(store, "tiny").trials == seeds(4)


def test_more_seeds_make_the_plan_grow(store: Store) -> None:
    run(store, seeds(2))

    assert run(store, seeds(4)).trials == load_submission(store, "tiny").trials == seeds(4)
    assert len(labels(store)) == 4


def test_another_sweep_of_the_same_name_is_refused_and_changes_nothing(store: Store) -> None:
    run(store, seeds(3))

    with pytest.raises(SweepError, match=r"3 of the trials that 'tiny' has .* 2 of this plan are"):
        run(store, seeds(2, "search.epochs=3"))
    assert newest_number(store, "tiny") == 1


def test_both_plans_are_kept_if_the_user_says_so(store: Store) -> None:
    run(store, seeds(3))
    other = seeds(2, "search.epochs=3")

    assert run(store, other, Earlier.KEEP).trials == other
    assert load_submission(store, "tiny").trials == [*other, *seeds(3)]
    assert len(labels(store)) == 5


def test_the_earlier_plan_is_replaced_if_the_user_says_so(store: Store) -> None:
    run(store, seeds(3))
    other = seeds(2, "search.epochs=3")

    assert run(store, other, Earlier.REPLACE).trials == other
    assert len(labels(store)) == 2
    assert len(planned(store, ["tiny"], all_submissions=True)) == 5


def test_a_trial_whose_images_have_changed_is_still_the_same_trial(store: Store) -> None:
    run(store, seeds(2))
    changed = [with_other_images(trial) for trial in seeds(2)]

    assert compared(store, "tiny", changed).others == ()
    assert run(store, changed).trials == load_submission(store, "tiny").trials == changed


def with_other_images(trial: TrialSpec) -> TrialSpec:
    from orchestrate.planning.images import with_current_images

    (changed,) = with_current_images([trial], lambda data, split: "other images")
    assert changed.trial_id != trial.trial_id
    return changed
