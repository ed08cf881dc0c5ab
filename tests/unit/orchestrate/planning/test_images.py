from pathlib import Path

import pytest
from stored_images import png, write_images
from tiny_sweeps import key_of, tiny_trials

from fairdarts.data.fingerprint import fingerprint
from orchestrate.errors import WrongImages
from orchestrate.planning.images import check_images, with_current_images
from orchestrate.planning.plan import TrialSpec

IMAGES = [png(20 * index) for index in range(12)]


def trials_on(folder: Path) -> list[TrialSpec]:
    """A search with its retraining and a random baseline, on images of which one is not like
    those that `write_images` writes.
    """
    write_images(folder, [png(99), *IMAGES[1:]])
    sizes = ("data.num_train=12", "data.num_test=4")
    return tiny_trials(f"data=parquet:{folder}", *sizes, random=[{"models": 1}])


def test_a_plan_whose_images_are_the_same_stays_as_it_is(tmp_path: Path) -> None:
    trials = trials_on(tmp_path)
    assert with_current_images(trials, fingerprint) == trials


def test_a_plan_with_other_images_is_the_one_that_a_new_sweep_would_have(tmp_path: Path) -> None:
    before = trials_on(tmp_path)
    write_images(tmp_path, IMAGES)
    sizes = ("data.num_train=12", "data.num_test=4")
    after = tiny_trials(f"data=parquet:{tmp_path}", *sizes, random=[{"models": 1}])
    assert with_current_images(before, fingerprint) == after
    assert {trial.trial_id for trial in before}.isdisjoint(trial.trial_id for trial in after)


def test_other_test_images_leave_a_search_as_it_is(tmp_path: Path) -> None:
    before = trials_on(tmp_path)
    train = (tmp_path / "train.parquet").read_bytes()
    (tmp_path / "test.parquet").write_bytes(train)
    after = with_current_images(before, fingerprint)
    for kind, same in (("search", True), ("derive", True), ("retrain", False)):
        assert (key_of(before[0], kind) == key_of(after[0], kind)) is same


def test_images_other_than_the_planned_ones_are_refused_with_what_to_do(tmp_path: Path) -> None:
    retrain = trials_on(tmp_path)[0].stages[-1]
    config = retrain.config["data"]
    assert check_images(config, fingerprint).source == f"parquet:{tmp_path}"
    write_images(tmp_path, IMAGES)
    with pytest.raises(WrongImages, match=r"train images of parquet:.* sweep resume"):
        check_images(config, fingerprint)
    (tmp_path / "train.parquet").unlink()
    with pytest.raises(WrongImages, match=r"has no train\.parquet"):
        check_images(config, fingerprint)
