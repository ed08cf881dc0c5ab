"""What is changed before failed stages are tried again, and which of them are."""

from pathlib import Path

import pytest
import torch
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from orchestrate.errors import Diverged
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.submission import Submission, load_submission, submit
from orchestrate.running.agenda import Agenda
from orchestrate.running.retry import EVERY_KIND, WORTH_A_TRY, with_remedies
from orchestrate.running.status import sweep_status
from orchestrate.stages.lease import Attempt
from orchestrate.statuses import Outcome
from results.statuses import FailureKind
from results.store.layout import live_name
from results.store.store import Store

ERRORS: dict[FailureKind, Exception] = {
    FailureKind.OOM: torch.OutOfMemoryError("2 GiB"),
    FailureKind.DIVERGED: Diverged("the training loss is nan in epoch 3"),
    FailureKind.EXCEPTION: ValueError("no luck"),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


def fail(store: Store, trial: TrialSpec, kind: str, failure: FailureKind) -> None:
    attempt = Attempt.take(store.stage_dir(kind, key_of(trial, kind)))
    attempt.fail(failure, ERRORS[failure])


def submitted(store: Store, trials: list[TrialSpec], *assignments: str) -> Submission:
    return submit(store, "tiny", trials, tiny_sweep(*assignments).resources)


def retried(
    store: Store, submission: Submission, kinds: frozenset[FailureKind] = WORTH_A_TRY
) -> tuple[Submission, list[str]]:
    statuses = sweep_status(store, submission.trials)
    return with_remedies(store, submission, statuses, kinds)


def given_out(store: Store, submission: Submission, kinds: frozenset[FailureKind]) -> set[str]:
    agenda = Agenda(store, submission.trials, max_attempts=3, retry=kinds)
    return {task.stage.key for task in iter(agenda.next, None) if task}


def test_a_search_without_memory_recomputes_under_the_same_key_and_the_store_knows(
    store: Store,
) -> None:
    trials = tiny_trials(matrix={"seed": [0, 1]})
    submission = submitted(store, trials)
    fail(store, trials[0], "search", FailureKind.OOM)
    changed, lines = retried(store, submission)
    assert [t.stages[0].config["search"]["recompute"] for t in changed.trials] == [True, False]
    assert [t.trial_id for t in changed.trials] == [t.trial_id for t in trials]
    assert load_submission(store, "tiny") == changed
    assert lines == [
        "1 x search (oom): tried again with search.recompute = true, which gives the same numbers "
        "in less memory."
    ]
    # If that was not enough, there is nothing else to change on a CPU.
    fail(store, trials[0], "search", FailureKind.OOM)
    again, lines = retried(store, changed)
    assert again == changed and lines == ["1 x search (oom): tried again unchanged."]


def test_a_search_that_cannot_recompute_is_not_made_to(store: Store) -> None:
    trials = tiny_trials("method=darts-skip-dropout")
    submission = submitted(store, trials)
    fail(store, trials[0], "search", FailureKind.OOM)
    changed, lines = retried(store, submission)
    assert changed == submission and lines == ["1 x search (oom): tried again unchanged."]


def test_a_retraining_without_memory_gets_a_whole_gpu(store: Store) -> None:
    (trial,) = trials = tiny_trials(matrix={}, random=[{"models": 1}])
    submission = submitted(store, trials, "resources.gpus_per_trial=0.5")
    key = key_of(trial, "sample")
    sample = Attempt.take(store.stage_dir("sample", key))
    store.write_rows("genotypes", live_name(key, 1), [{"stage_key": key}])
    sample.finish(Outcome.OK)
    fail(store, trial, "retrain", FailureKind.OOM)
    changed, lines = retried(store, submission)
    assert changed.resources.of("retrain").gpus == 1
    assert changed.resources.of("search").gpus == 0.5
    assert lines == ["1 x retrain (oom): tried again on a whole GPU (resources.retrain.gpus = 1)."]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (WORTH_A_TRY, {FailureKind.OOM, FailureKind.EXCEPTION}),
        (frozenset({FailureKind.OOM}), {FailureKind.OOM}),
        (frozenset({FailureKind.DIVERGED}), {FailureKind.DIVERGED}),
        (EVERY_KIND, set(ERRORS)),
    ],
)
def test_only_failures_of_the_kinds_asked_for_are_tried_again_and_the_lost_always(
    store: Store, kinds: frozenset[FailureKind], expected: set[FailureKind]
) -> None:
    *failed, lost = tiny_trials(matrix={"seed": [0, 1, 2, 3]})
    by_kind = dict(zip(ERRORS, failed, strict=True))
    for kind, trial in by_kind.items():
        fail(store, trial, "search", kind)
    Attempt.take(store.stage_dir("search", key_of(lost, "search"))).release()
    submission = submitted(store, [*failed, lost])
    _, lines = retried(store, submission, kinds)
    expected_keys = {key_of(by_kind[kind], "search") for kind in expected}
    assert given_out(store, submission, kinds) == {*expected_keys, key_of(lost, "search")}
    assert sum("not tried again" in line for line in lines) == len(ERRORS) - len(expected)
