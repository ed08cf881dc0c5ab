from datetime import UTC, datetime, timedelta

from small_sweep import Trial, attempt, submit

from results.figures import timeline
from results.figures.kind import Options
from results.query.tables import Tables
from results.store.store import Store

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def _at(hours: float) -> datetime:
    return BEGAN + timedelta(hours=hours)


def test_attempts_of_a_host_are_packed_into_slots_and_a_running_one_ends_last(store: Store) -> None:
    trials = [Trial("darts", seed) for seed in range(3)]
    submit(store, "exp", 1, trials)
    first, second, third = (trial.search_key for trial in trials)
    on_a = {"host": "a", "pid": 1}
    attempt(store, first, "search", "lost", started_at=_at(0), ended_at=_at(1), **on_a)
    attempt(store, first, "search", "running", 2, started_at=_at(2), ended_at=None, **on_a)
    other = {"host": "a", "pid": 2}
    attempt(store, second, "search", "ok", started_at=_at(0.5), ended_at=_at(3), **other)
    elsewhere = {"host": "b", "pid": 1}
    attempt(store, third, "search", "failed", started_at=_at(0), ended_at=_at(5), **elsewhere)
    attempt(store, trials[0].genotype_key, "derive", "ok", started_at=_at(0), ended_at=_at(0))
    rows = timeline.data(Tables(store), Options())
    columns = ["host", "stage_key", "attempt", "slot", "status"]
    assert rows[columns].values.tolist() == [
        ["a", first, 1, 1, "lost"],
        ["a", second, 1, 2, "ok"],
        ["a", first, 2, 1, "running"],
        ["b", third, 1, 1, "failed"],
    ]
    assert list(rows["until"]) == [_at(1), _at(3), _at(5), _at(5)]


def test_long_pauses_are_cut_out_of_the_axis() -> None:
    clock = timeline.Clock([(0, 10), (1000, 1030)])
    assert clock.spans == [(0, 10), (12, 42)]
    assert clock.places([0, 10, 1000, 1005]) == [0, 10, 12, 17]
