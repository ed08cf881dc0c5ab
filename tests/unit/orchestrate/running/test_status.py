from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tiny_sweeps import key_of, tiny_trials

from cli.live import duration, problem_line, status_table
from orchestrate.planning.plan import TrialSpec
from orchestrate.running.status import count, progress, sweep_status, trial_status
from orchestrate.stages.lease import Attempt
from orchestrate.statuses import Outcome, Status
from results.store.layout import ROWS_OF, live_name
from results.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "store")


@pytest.fixture
def trials() -> list[TrialSpec]:
    return tiny_trials(matrix={"seed": [0, 1, 2, 3, 4, 5]})


def take(store: Store, trial: TrialSpec, kind: str) -> Attempt:
    return Attempt.take(store.stage_dir(kind, key_of(trial, kind)))


def finish(store: Store, trial: TrialSpec, *kinds: str, outcome: Outcome = Outcome.OK) -> None:
    for kind in kinds:
        attempt = take(store, trial, kind)
        key = key_of(trial, kind)
        for table in ROWS_OF[kind]:
            store.write_rows(table, live_name(key, attempt.number), [{"stage_key": key}])
        attempt.finish(outcome, "" if outcome == Outcome.OK else "the normal cell has no live node")


def every_status(store: Store, trials: list[TrialSpec]) -> None:
    """Bring the trials into the states done, invalid, running, lost, pending and failed."""
    finish(store, trials[0], "search", "derive", "retrain")
    finish(store, trials[1], "search")
    finish(store, trials[1], "derive", outcome=Outcome.INVALID)
    finish(store, trials[2], "search", "derive")
    take(store, trials[2], "retrain")
    take(store, trials[3], "search").release()
    finish(store, trials[5], "search")
    take(store, trials[5], "derive").fail("exception", ValueError("no luck"))


def row(trial: TrialSpec, kind: str, epoch: int, **columns: Any) -> dict[str, Any]:
    return {
        "stage_key": key_of(trial, kind),
        "kind": kind,
        "attempt": 1,
        "epoch": epoch,
        "wall_s": 10.0,
    } | columns


def test_a_trial_is_where_its_first_unfinished_stage_is(
    store: Store, trials: list[TrialSpec]
) -> None:
    every_status(store, trials)
    statuses = sweep_status(store, trials)
    assert [(status.status, status.stage.kind) for status in statuses] == [
        ("done", "retrain"),
        ("invalid", "derive"),
        ("running", "retrain"),
        ("lost", "search"),
        ("pending", "search"),
        ("failed", "derive"),
    ]
    assert [status.finished for status in statuses] == [True, True, False, False, False, False]
    assert [status.started for status in statuses] == [True, True, True, True, False, True]


def test_a_trial_whose_rows_are_gone_is_not_done(store: Store, trials: list[TrialSpec]) -> None:
    every_status(store, trials)
    store.live_path("retrains", live_name(key_of(trials[0], "retrain"), 1)).unlink()
    status = trial_status(store, trials[0])
    assert (status.status, status.stage.kind) == ("lost", "retrain")


def test_counts_name_the_statuses_that_occur_in_a_fixed_order(
    store: Store, trials: list[TrialSpec]
) -> None:
    assert count(sweep_status(store, trials)) == {"pending": 6}
    every_status(store, trials)
    counts = count(sweep_status(store, trials))
    assert counts == dict.fromkeys(Status, 1)
    assert list(counts) == list(Status)
    assert count([]) == {}


def test_trials_that_share_a_search_are_all_running_while_it_runs(store: Store) -> None:
    trials = tiny_trials(matrix={"retrain.epochs": [1, 2]})
    take(store, trials[0], "search")
    assert count(sweep_status(store, trials)) == {"running": 2}


def test_a_problem_line_says_which_trial_which_stage_why_and_where_the_log_is(
    store: Store, trials: list[TrialSpec]
) -> None:
    every_status(store, trials)
    failed = trial_status(store, trials[5])
    assert failed.state.log is not None and failed.state.log.exists()
    assert problem_line(failed) == (
        f"failed: fairdarts seed=5: derive: ValueError: no luck (log: {failed.state.log})"
    )
    invalid = problem_line(trial_status(store, trials[1]))
    assert invalid.startswith("invalid: fairdarts seed=1: derive: the normal cell has no live node")
    lost = problem_line(trial_status(store, trials[3]))
    assert "lost: fairdarts seed=3: search: its process is gone; it continues" in lost


def test_the_table_shows_counts_the_running_trials_and_every_problem(
    store: Store, trials: list[TrialSpec]
) -> None:
    every_status(store, trials)
    name = live_name(key_of(trials[2], "retrain"), 1)
    store.write_rows("epochs", name, [row(trials[2], "retrain", 0, test_top1_pct=91.25)])
    console = Console(width=400)
    with console.capture() as capture:
        console.print(status_table(store, sweep_status(store, trials)))
    text = capture.get()
    assert "6 trials: 1 done, 1 invalid, 1 running, 1 lost, 1 pending, 1 failed" in text
    (running,) = [line for line in text.splitlines() if line.startswith("fairdarts seed=2")]
    for cell in ("retrain", "1/2", "test 91.2%", "10 s", "pid"):
        assert cell in running
    assert sum(line.startswith(("failed:", "invalid:", "lost:")) for line in text.splitlines()) == 3


def test_progress_counts_epochs_and_extrapolates_their_pace(store: Store) -> None:
    (trial,) = tiny_trials("search.epochs=5")
    status = trial_status(store, trial)
    at = progress(store, status)
    assert at is not None and (at.epochs_done, at.num_epochs, at.left_s) == (0, 5, None)
    rows = [row(trial, "search", epoch, arch_top1_pct=30.0 + epoch) for epoch in range(2)]
    store.write_rows("epochs", live_name(key_of(trial, "search"), 1), rows)
    at = progress(store, status)
    assert at is not None
    assert (at.epochs_done, at.metric, at.left_s) == (2, "alpha half 31.0%", 30.0)


def test_a_stage_without_epochs_has_no_progress(store: Store) -> None:
    (trial,) = tiny_trials()
    finish(store, trial, "search")
    assert progress(store, trial_status(store, trial)) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1 h 30 min")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) in (text, "1 h 30 min" if seconds == 5399 else text)
