"""What is ready, what comes first, and what waits, by the files of a store alone."""

from pathlib import Path

import pytest
from tiny_sweeps import key_of, tiny_trials

from orchestrate.errors import Stopped
from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.running.agenda import MAX_RESTARTS, Agenda
from orchestrate.running.retry import EVERY_KIND
from orchestrate.stages.lease import Attempt
from orchestrate.stages.state import stage_state
from orchestrate.statuses import Outcome, Status
from results.store.files import write_json
from results.store.layout import ROWS_OF, live_name
from results.store.store import Store

RUN = "run-of-a-test"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def shared_search(*assignments: str) -> list[TrialSpec]:
    """Three trials that retrain the genotype of one search, with three seeds."""
    return tiny_trials(*assignments, matrix={"retrain.seed": [0, 1, 2]})


def take(store: Store, stage: StageSpec) -> Attempt:
    return Attempt.take(store.stage_dir(stage.kind, stage.key), RUN)


def finish(
    store: Store,
    stage: StageSpec,
    outcome: Outcome = Outcome.OK,
    genotype: str | None = None,
    epoch_s: float = 1.0,
) -> None:
    """Leave what a process that computed the stage leaves."""
    attempt = take(store, stage)
    row = {"stage_key": stage.key}
    rows = {
        "epochs": row | {"wall_s": epoch_s},
        "genotypes": row | {"genotype_json": genotype},
        "retrains": row,
    }
    for table in ROWS_OF[stage.kind]:
        store.write_rows(table, live_name(stage.key, attempt.number), [rows[table]])
    attempt.finish(outcome)


def save_epoch(store: Store, stage: StageSpec, attempt: int, epoch: int) -> None:
    folder = store.stage_dir(stage.kind, stage.key) / "checkpoints"
    write_json(folder / f"a{attempt:04d}-e{epoch:06d}.json", {})


def status(store: Store, stage: StageSpec) -> Status:
    return stage_state(store.stage_dir(stage.kind, stage.key)).status


def given_out(agenda: Agenda, *kinds: str) -> list[str]:
    """Kinds of everything that is ready, in order."""
    tasks = iter(lambda: agenda.next(*([kinds] if kinds else [])), None)
    return [task.stage.kind for task in tasks if task]


def finish_next(agenda: Agenda, store: Store, **left: str) -> StageSpec:
    task = agenda.next()
    assert task is not None
    finish(store, task.stage, **left)  # type: ignore[arg-type]
    agenda.ended(task.stage.key)
    return task.stage


def test_a_stage_is_ready_as_soon_as_the_one_before_it_is_done(store: Store) -> None:
    agenda = Agenda(store, shared_search())
    assert finish_next(agenda, store).kind == "search"
    assert finish_next(agenda, store).kind == "derive"
    assert given_out(agenda) == ["retrain"] * 3
    assert not agenda.is_finished and agenda.started == {"retrain": 3}


def test_a_retraining_does_not_wait_for_other_trials(store: Store) -> None:
    trials = tiny_trials(matrix={"seed": [0, 1]})
    agenda = Agenda(store, trials)
    short, long = agenda.next(), agenda.next()
    assert short is not None and long is not None
    finish(store, short.stage)
    agenda.ended(short.stage.key)
    finish_next(agenda, store)
    (retrain,) = given_out(agenda)
    assert retrain == "retrain" and agenda.started == {"search": 1, "retrain": 1}


def test_deriving_and_sampling_are_quick_and_training_is_not(store: Store) -> None:
    agenda = Agenda(store, tiny_trials(matrix={}, random=[{"models": 1}]))
    sample = agenda.next()
    assert sample is not None and sample.is_quick and sample.stage.kind == "sample"
    finish(store, sample.stage)
    agenda.ended(sample.stage.key)
    retrain = agenda.next()
    assert retrain is not None and not retrain.is_quick


def test_what_is_done_is_skipped_and_an_invalid_genotype_ends_its_trial(store: Store) -> None:
    trials = tiny_trials(matrix={"seed": [0, 1]})
    for stage in trials[0].stages:
        finish(store, stage)
    finish(store, trials[1].stages[0])
    finish(store, trials[1].stages[1], Outcome.INVALID)
    assert Agenda(store, trials).is_finished


def test_the_longest_way_goes_first(store: Store) -> None:
    trials = tiny_trials(matrix={"search.epochs": [3, 30]})
    agenda = Agenda(store, trials)
    task = agenda.next()
    assert task is not None and task.stage == trials[1].stages[0]


def test_the_way_is_longer_for_a_kind_whose_epochs_took_longer(store: Store) -> None:
    # Alone, the search of the first trial looks as long as the retraining of the second.
    done, long, short = tiny_trials(
        "search.epochs=4", "retrain.epochs=4", matrix={"seed": [0, 1, 2]}
    )
    finish(store, done.stages[0], epoch_s=1.0)
    finish(store, done.stages[1])
    finish(store, done.stages[2], epoch_s=100.0)
    finish(store, short.stages[0])
    finish(store, short.stages[1])
    agenda = Agenda(store, [done, short, long])
    task = agenda.next()
    assert task is not None and task.stage == long.stages[0]


def test_what_was_interrupted_goes_before_what_has_not_begun(store: Store) -> None:
    trials = tiny_trials(matrix={"search.epochs": [3, 30]})
    take(store, trials[0].stages[0]).release()
    agenda = Agenda(store, trials)
    task = agenda.next()
    assert task is not None and task.stage == trials[0].stages[0]


def test_only_kinds_with_room_are_given_out(store: Store) -> None:
    trials = tiny_trials(matrix={"seed": [0, 1]}, random=[{"models": 1}])
    for stage in trials[0].stages[:2]:
        finish(store, stage)
    agenda = Agenda(store, trials)
    assert given_out(agenda, "retrain", "derive") == ["retrain"]
    assert given_out(agenda) == ["search", "sample"]


def test_a_stage_that_another_run_computes_is_waited_for_and_the_others_go_on(
    store: Store,
) -> None:
    trials = tiny_trials(matrix={"seed": [0, 1]})
    other = take(store, trials[0].stages[0])
    agenda = Agenda(store, trials)
    assert given_out(agenda) == ["search"]
    ((stage, state),) = agenda.held
    assert stage == trials[0].stages[0] and "pid" in state.holder
    agenda.look_again()
    assert agenda.next() is None and len(agenda.held) == 1

    other.release()
    agenda.look_again()
    assert given_out(agenda) == ["search"] and not agenda.held


def test_a_stage_that_another_run_finishes_meanwhile_is_not_given_out(store: Store) -> None:
    (trial,) = tiny_trials()
    agenda = Agenda(store, [trial])
    for stage in trial.stages:
        finish(store, stage)
    assert agenda.next() is None and agenda.is_finished


def test_a_failed_stage_is_tried_again_once_if_that_is_asked_for(store: Store) -> None:
    (trial,) = tiny_trials()
    search = trial.stages[0]
    take(store, search).fail("exception", ValueError("no luck"))
    assert Agenda(store, [trial], max_attempts=3).is_finished
    assert Agenda(store, [trial], max_attempts=1, retry=EVERY_KIND).is_finished
    agenda = Agenda(store, [trial], max_attempts=3, retry=EVERY_KIND)
    assert given_out(agenda) == ["search"]
    take(store, search).fail("exception", ValueError("no luck"))
    agenda.ended(search.key)
    assert agenda.is_finished


def test_two_searches_of_one_genotype_train_it_once(store: Store) -> None:
    trials = tiny_trials(matrix={"search.seed": [0, 1]})
    for trial in trials:
        finish(store, trial.stages[0])
        finish(store, trial.stages[1], genotype="{}")
    agenda = Agenda(store, trials)
    first = agenda.next()
    assert first is not None and not first.is_quick
    assert agenda.next() is None and not agenda.is_finished
    finish(store, first.stage)
    agenda.ended(first.stage.key)
    second = agenda.next()
    assert second is not None and second.is_quick


def test_a_process_that_dies_may_start_again_as_often_as_it_gets_on(store: Store) -> None:
    (trial,) = tiny_trials()
    search = trial.stages[0]
    agenda = Agenda(store, [trial], run=RUN)
    for attempt in range(1, 4 * MAX_RESTARTS):
        assert given_out(agenda) == ["search"]
        take(store, search)
        save_epoch(store, search, attempt, attempt)
        agenda.ended(search.key, death="killed")
    assert given_out(agenda) == ["search"]
    assert status(store, search) == Status.LOST


def test_a_process_that_dies_at_the_same_epoch_again_and_again_is_a_crash(store: Store) -> None:
    (trial,) = tiny_trials()
    search = trial.stages[0]
    agenda = Agenda(store, [trial], run=RUN)
    for _ in range(MAX_RESTARTS + 1):
        assert given_out(agenda) == ["search"]
        take(store, search)
        agenda.ended(search.key, death="killed by signal 9")
    assert agenda.is_finished
    state = stage_state(store.stage_dir("search", search.key))
    assert state.status == Status.FAILED
    assert state.reason == (
        "ProcessDied: its process died 5 times in a row without a finished epoch in between: "
        "killed by signal 9"
    )
    (row,) = store.read("attempts", [search.key]).to_pylist()
    assert row["failure_kind"] == "crash"


def test_a_stage_that_no_process_could_start_is_given_up_for_this_run_with_a_reason(
    store: Store,
) -> None:
    (trial,) = tiny_trials()
    search = trial.stages[0]
    agenda = Agenda(store, [trial], run=RUN)
    for _ in range(MAX_RESTARTS + 1):
        assert given_out(agenda) == ["search"]
        agenda.ended(search.key, death="the package cannot be imported on node7")
    assert agenda.is_finished
    state = stage_state(store.stage_dir("search", search.key))
    assert state.status == Status.PENDING
    assert "could not be started 5 times" in state.reason and "node7" in state.reason

    assert given_out(Agenda(store, [trial])) == ["search"]  # Another run tries again,
    attempt = take(store, search)  # and from then on the reason is of no account.
    attempt.release()
    assert stage_state(store.stage_dir("search", search.key)).reason == ""


def test_a_stage_whose_process_says_why_it_stopped_is_not_started_again_in_this_run(
    store: Store,
) -> None:
    (trial,) = tiny_trials()
    agenda = Agenda(store, [trial], run=RUN)
    assert given_out(agenda) == ["search"]
    take(store, trial.stages[0]).fail("disk_full", OSError(28, "No space left on device"))
    agenda.ended(trial.stages[0].key)
    assert agenda.is_finished


def test_a_run_that_ends_gives_back_its_own_stages_and_no_others(store: Store) -> None:
    trials = tiny_trials(matrix={"seed": [0, 1]})
    agenda = Agenda(store, trials, run=RUN)
    assert given_out(agenda) == ["search", "search"]
    ours, theirs = (trial.stages[0] for trial in trials)
    take(store, ours)
    Attempt.take(store.stage_dir("search", theirs.key), "another run")
    agenda.give_back_all()
    assert [status(store, ours), status(store, theirs)] == [Status.LOST, Status.RUNNING]


def test_keys_of_a_plan_with_a_shared_search_are_looked_at_once(store: Store) -> None:
    trials = shared_search()
    assert len({key_of(trial, "search") for trial in trials}) == 1
    assert given_out(Agenda(store, trials)) == ["search"]


def test_a_run_that_stops_starts_nothing_and_waits_for_what_it_computes(store: Store) -> None:
    trials = tiny_trials(matrix={"seed": [0, 1]})
    agenda = Agenda(store, trials, run=RUN)
    task = agenda.next()
    assert task is not None
    agenda.stop()
    assert agenda.next() is None and not agenda.is_finished
    take(store, task.stage).fail("stopped", Stopped("a person asked for it"))
    agenda.ended(task.stage.key)
    assert agenda.is_finished and agenda.num_failed == 0
    assert len(given_out(Agenda(store, trials))) == 2  # The next run continues.


def test_a_stage_that_was_stopped_alone_is_left_out_and_the_others_go_on(store: Store) -> None:
    stopped, other = tiny_trials(matrix={"seed": [0, 1]})
    agenda = Agenda(store, [stopped, other], run=RUN)
    assert given_out(agenda) == ["search", "search"]
    take(store, stopped.stages[0]).fail("stopped", Stopped("a person asked for it"))
    assert agenda.leave_out(stopped.stages[0].key)
    agenda.ended(stopped.stages[0].key)
    assert given_out(agenda) == []
    finish(store, other.stages[0])
    agenda.ended(other.stages[0].key)
    assert given_out(agenda) == ["derive"]


def test_a_stopped_stage_goes_on_for_another_trial_that_copies_its_rows(store: Store) -> None:
    trials = tiny_trials(matrix={"search.seed": [0, 1]})
    for trial in trials:
        finish(store, trial.stages[0])
        finish(store, trial.stages[1], genotype="{}")
    agenda = Agenda(store, trials)
    first = agenda.next()
    assert first is not None and agenda.leave_out(first.stage.key)
    take(store, first.stage).fail("stopped", Stopped("a person asked for it"))
    agenda.ended(first.stage.key)
    again = agenda.next()
    assert again is not None and again.stage == first.stage
    assert not agenda.leave_out(first.stage.key)


def test_a_run_stops_as_soon_as_enough_stages_have_failed(store: Store) -> None:
    trials = tiny_trials(matrix={"seed": [0, 1, 2, 3]})
    agenda = Agenda(store, trials, run=RUN, max_failures=2)
    for number in range(2):
        task = agenda.next()
        assert task is not None and not agenda.has_failed_too_often
        take(store, task.stage).fail("exception", ValueError("no luck"))
        agenda.ended(task.stage.key)
        assert agenda.num_failed == number + 1
    assert agenda.has_failed_too_often and agenda.next() is None and agenda.is_finished
    # Failures of earlier runs do not count.
    assert len(given_out(Agenda(store, trials, max_failures=2))) == 2


def test_what_is_left_is_left_to_others_unless_more_can_be_computed_at_once_later(
    store: Store,
) -> None:
    (alone,) = tiny_trials("seed=5")
    trials = shared_search()
    others = [take(store, trial.stages[0]) for trial in (alone, trials[0])]
    assert Agenda(store, [alone]).is_left_to_others
    assert not Agenda(store, [alone, *trials]).is_left_to_others  # Three retrainings are to come.
    others[0].release()
    assert not Agenda(store, [alone]).is_left_to_others
    assert not Agenda(store, []).is_left_to_others
