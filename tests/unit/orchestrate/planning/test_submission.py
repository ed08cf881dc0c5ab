import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from repository import SUPPORT
from tiny_sweeps import key_of, tiny_trials

from orchestrate.errors import SweepError
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import (
    Origin,
    Submission,
    load_submission,
    newest_number,
    stored_submission,
    submit,
)
from results.store.files import read_json
from results.store.store import Store

CLAIMANT = SUPPORT / "claimant.py"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def submitted(store: Store, trials: list[TrialSpec], **resources: int) -> Submission:
    return submit(store, "tiny", trials, Resources(**resources))


def test_the_first_submission_is_number_one_and_comes_back_as_it_was(store: Store) -> None:
    trials = tiny_trials(random=[{"models": 2}])
    assert newest_number(store, "tiny") == 0
    submission = submitted(store, trials, max_attempts=5)
    assert (submission.number, newest_number(store, "tiny")) == (1, 1)
    assert load_submission(store, "tiny") == submission
    assert submission.trials == trials


def test_an_unchanged_plan_adds_nothing(store: Store) -> None:
    first = submitted(store, tiny_trials())
    files = {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.is_file()}
    assert submitted(store, tiny_trials()) == first
    assert files == {p: p.stat().st_mtime_ns for p in store.root.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("assignment", "resources"), [("search.epochs=3", {}), ("search.epochs=2", {"max_attempts": 1})]
)
def test_a_changed_plan_is_number_two_and_the_first_one_stays(
    store: Store, assignment: str, resources: dict[str, int]
) -> None:
    submitted(store, tiny_trials())
    first = (store.sweep_dir("tiny") / "0001.json").read_bytes()
    second = submitted(store, tiny_trials(assignment), **resources)
    assert second.number == 2
    assert load_submission(store, "tiny") == second
    assert (store.sweep_dir("tiny") / "0001.json").read_bytes() == first
    assert sorted(path.name for path in store.sweep_dir("tiny").iterdir()) == [
        "0001.json",
        "0002.json",
    ]


def test_going_back_to_an_earlier_plan_is_a_submission_of_its_own(store: Store) -> None:
    numbers = [
        submitted(store, tiny_trials(f"search.epochs={epochs}")).number for epochs in (1, 2, 1)
    ]
    assert numbers == [1, 2, 3]


def test_submissions_at_the_same_time_get_numbers_of_their_own(store: Store) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, str(CLAIMANT), str(store.root), str(epochs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for epochs in range(1, 5)
    ]
    try:
        outputs = [process.stdout for process in processes if process.stdout]
        assert [output.readline() for output in outputs] == ["ready\n"] * 4
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        numbers = [int(output.readline()) for output in outputs]
        assert [process.wait() for process in processes] == [0] * 4
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert sorted(numbers) == [1, 2, 3, 4]
    for epochs, number in enumerate(numbers, start=1):
        submission = stored_submission(store, "tiny", number)
        assert submission is not None
        assert submission.trials[0].stages[0].config["search"]["epochs"] == epochs
    assert len(store.read("trials")) == 4


def test_the_trials_table_has_a_row_for_each_trial_of_the_plan(store: Store) -> None:
    trials = tiny_trials(matrix={"method": ["darts"], "seed": [4]}, random=[{"models": 1}])
    submitted(store, trials)
    searched, drawn = store.read("trials").to_pylist()
    plan = read_json(store.sweep_dir("tiny") / "0001.json")
    for row, trial in ((searched, trials[0]), (drawn, trials[1])):
        assert (row["sweep"], row["submission"]) == ("tiny", 1)
        assert row["planned_at"].isoformat() == plan["planned_at"]
        for name in ("trial_id", "label", "group_id", "group_label", "method", "dataset", "recipe"):
            assert row[name] == getattr(trial, name)
        assert row["retrain_key"] == key_of(trial, "retrain") == row["trial_id"]
        assert row["space"] == "s1"
        assert json.loads(row["config_json"]) == [asdict(stage) for stage in trial.stages]
    assert searched["search_key"] == key_of(trials[0], "search")
    assert searched["derive_key"] == key_of(trials[0], "derive")
    assert searched["sample_key"] is searched["sample_seed"] is searched["sample_index"] is None
    assert (searched["search_seed"], searched["retrain_seed"]) == (4, 4)
    assert searched["zero_one_weight"] == 0.0
    assert drawn["sample_key"] == key_of(trials[1], "sample")
    assert drawn["search_key"] is drawn["derive_key"] is drawn["search_seed"] is None
    assert (drawn["sample_seed"], drawn["sample_index"], drawn["retrain_seed"]) == (0, 0, 0)


def test_a_lost_trials_table_is_written_again_by_the_same_submission(store: Store) -> None:
    submitted(store, tiny_trials())
    before = store.read("trials").to_pylist()
    store.live_path("trials", "tiny.0001").unlink()
    submitted(store, tiny_trials())
    assert store.read("trials").to_pylist() == before


def test_a_sweep_that_was_never_submitted_is_refused_with_those_that_were(store: Store) -> None:
    with pytest.raises(SweepError, match=r"no sweep 'other' .*there: none"):
        load_submission(store, "other")
    submitted(store, tiny_trials())
    with pytest.raises(SweepError, match=r"no sweep 'other' .*there: tiny"):
        load_submission(store, "other")


def test_a_submission_keeps_how_it_came_about(store: Store) -> None:
    origin = Origin("fairdarts sweep run mine.toml", "[matrix]\nmethod = ['darts']\n")
    submission = submit(store, "tiny", tiny_trials(), Resources(), origin)
    assert load_submission(store, "tiny") == submission
    again = submit(store, "tiny", tiny_trials(), Resources(), Origin("another"))
    assert again.origin == origin  # The plan is the same.


def test_a_plan_of_before_has_no_origin(store: Store) -> None:
    submit(store, "tiny", tiny_trials(), Resources())
    path = store.submission_path("tiny", 1)
    plan = read_json(path)
    del plan["command"], plan["sweep_file"]
    path.write_text(json.dumps(plan))
    assert load_submission(store, "tiny").origin == Origin()
