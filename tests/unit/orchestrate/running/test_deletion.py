"""A sweep is deleted with the stages that no other one needs: at once, and wholly."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_trials import (
    NOW,
    answers,
    copy,
    finish_trial,
    write_sweeps,
)
from storage_faults import FAULTS, Disk, failing
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.errors import SweepError
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import load_submission, submit
from orchestrate.running.deletion import delete, doomed, remove_deleted
from orchestrate.running.drivers import announced, changing
from orchestrate.running.runner import run_here
from orchestrate.running.sealing import seal_finished
from orchestrate.running.status import sweep_status
from orchestrate.stages.lease import Attempt
from orchestrate.stages.state import stage_state
from orchestrate.statuses import Status
from results.query.tables import Tables
from results.store.layout import live_name
from results.store.seal import seal
from results.store.store import Store

SLOW = (pytest.mark.slow, pytest.mark.timeout(3600))
EVERY = 40
"""Without `slow`, every so many steps fail."""


@pytest.fixture(scope="module")
def mine() -> list[TrialSpec]:
    return tiny_trials(matrix={"seed": [0, 1, 2]})


@pytest.fixture(scope="module")
def other() -> list[TrialSpec]:
    """Its search with seed 0 is that of a trial of mine."""
    return tiny_trials("retrain.epochs=3", matrix={"seed": [0, 9]})


@pytest.fixture(scope="module", params=["live", "sealed"])
def whole(
    request: pytest.FixtureRequest,
    mine: list[TrialSpec],
    other: list[TrialSpec],
    tmp_path_factory: pytest.TempPathFactory,
) -> Store:
    """See `write_sweeps`."""
    store = Store.create(tmp_path_factory.mktemp("whole"))
    write_sweeps(store, mine, other, is_sealed=request.param == "sealed")
    return store


@pytest.fixture
def store(whole: Store, tmp_path: Path) -> Store:
    return copy(whole, tmp_path / "store")


def test_nothing_of_a_deleted_sweep_is_left_and_another_one_is_as_before(
    store: Store, mine: list[TrialSpec], other: list[TrialSpec]
) -> None:
    before = Tables(store, ["other"]).read("outcomes").to_pylist()
    shared = key_of(mine[0], "search")

    delete(doomed(store, "mine"))
    seal(store, {})

    assert store.sweep_names() == ["other"]
    assert Tables(store).read("outcomes").to_pylist() == before
    kept = {stage.key for trial in other for stage in trial.stages}
    assert {row["stage_key"] for row in store.read("attempts").to_pylist()} == kept
    assert shared in kept
    left = [path for path in store.root.rglob("*") if path.is_file()]
    gone = {stage.key for trial in mine for stage in trial.stages} - kept
    assert not [path for path in left if any(key in str(path) for key in gone)]
    assert all(pack.num_written == len(pack.stages) for pack in store.manifest().packs)


def test_what_goes_and_what_stays_is_said_first(store: Store, mine: list[TrialSpec]) -> None:
    found = doomed(store, "mine")

    assert (found.submissions, len(found.trials)) == ((1, 2), 3)
    assert len(found.stages) == 5  # of nine: two are shared, two never began
    assert set(found.kept) == {key_of(mine[0], "search"), key_of(mine[0], "derive")}
    assert set(found.kept.values()) == {frozenset({"other"})}


def test_a_deleted_sweep_is_computed_again_as_later_attempts(
    store: Store, mine: list[TrialSpec]
) -> None:
    delete(doomed(store, "mine"))
    search_only = replace(mine[1], stages=mine[1].stages[:1])
    submission = submit(store, "mine", [search_only], tiny_sweep().resources)
    assert [one.status for one in sweep_status(store, submission.trials)] == [Status.PENDING]

    ended = run_here(store, submission)

    assert submission.number == 3
    assert [one.status for one in ended] == [Status.DONE]
    rows = store.read("attempts", [search_only.trial_id]).to_pylist()
    assert [(row["attempt"], row["status"]) for row in rows] == [(2, "ok")]
    assert seal_finished(store) >= 1
    assert store.read("epochs", [search_only.trial_id]).num_rows == 2


def test_what_an_old_process_writes_after_the_deletion_does_not_count(
    store: Store, mine: list[TrialSpec]
) -> None:
    delete(doomed(store, "mine"))
    before = answers(store)

    finish_trial(store, mine[1])  # Its attempts have the number 1 again.
    store.write_rows("trials", "mine.0002", [{"sweep": "mine", "planned_at": NOW}])

    assert answers(store) == before
    folder = store.stage_dir("search", key_of(mine[1], "search"))
    assert stage_state(folder).status == Status.PENDING
    attempt = Attempt.take(folder)
    attempt.release()
    assert attempt.number == 2
    remove_deleted(store)
    assert attempt.paths.folder.is_dir()
    assert (
        not store.live_path("epochs", live_name(mine[1].trial_id, 1))
        .parent.joinpath("nothing")
        .exists()
    )


def test_a_sweep_that_runs_is_not_deleted(store: Store, mine: list[TrialSpec]) -> None:
    submission = load_submission(store, "mine")
    with announced(store, submission), pytest.raises(SweepError, match="sweep stop mine"):
        doomed(store, "mine")
    attempt = Attempt.take(store.stage_dir("search", key_of(mine[2], "search")))
    with pytest.raises(SweepError, match=f"computes stage {key_of(mine[2], 'search')}"):
        doomed(store, "mine")
    attempt.release()

    with changing(store, "sweep delete mine"):
        with pytest.raises(SweepError, match="`sweep delete mine` is at work"):
            run_here(store, submission)
        with pytest.raises(SweepError, match="try again"), changing(store, "sweep import x"):
            pass
    doomed(store, "mine")


def test_a_retraining_stays_whose_rows_another_sweep_has_copied(
    store: Store, mine: list[TrialSpec], other: list[TrialSpec]
) -> None:
    copied = {"stage_key": "f" * 16, "trained_as": mine[1].trial_id, "test_top1_pct": 1.0}
    twin = other[1].trial_id
    store.write_rows("retrains", live_name(twin, 2), [copied | {"stage_key": twin}])
    if store.manifest().stages:  # A sealed row cannot be changed.
        pytest.skip("the same with sealed rows")

    found = doomed(store, "mine")

    assert {stage.key for stage in mine[1].stages} <= set(found.kept)


@pytest.mark.parametrize(
    ("whole", "fault", "every"),
    [
        ("live", "kill", EVERY),
        ("sealed", "power", EVERY),
        *(
            pytest.param(kind, fault, 1, marks=SLOW)
            for kind in ("live", "sealed")
            for fault in FAULTS
        ),
    ],
    indirect=["whole"],
)
def test_a_fault_at_any_step_leaves_the_store_as_before_or_without_the_sweep(
    whole: Store, tmp_path: Path, fault: str, every: int
) -> None:
    after = copy(whole, tmp_path / "after")
    of = doomed(after, "mine")
    count = Disk()
    with failing(count):
        delete(of)
        seal(after, {})
    allowed = [answers(whole), answers(after)]
    assert count.steps > 20
    print(f"{count.steps} steps fail")

    for at in range(1, count.steps + 1, every):
        store = copy(whole, tmp_path / f"{at}")
        of = doomed(store, "mine")
        with failing(Disk(fault, at)):
            delete(of)
            seal(store, {})
        found = answers(store)
        assert found in allowed, f"step {at}"
        seal(store, {})
        remove_deleted(store)
        assert answers(store) == found, f"step {at}, then removed"
        if found == allowed[1]:
            assert tree(store) == tree(after)
        shutil.rmtree(store.root)


def tree(store: Store) -> set[str]:
    """Names of all files, without the random parts."""
    paths = (path.relative_to(store.root) for path in store.root.rglob("*") if path.is_file())
    return {str(path) for path in paths if path.parts[0] != "sealed"}
