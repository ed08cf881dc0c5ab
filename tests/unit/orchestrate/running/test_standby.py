from pathlib import Path

import pytest
from tiny_sweeps import tiny_trials

from orchestrate.planning.resources import Room, Share
from orchestrate.running.agenda import Agenda
from orchestrate.running.standby import Standbys
from results.store.store import Store


def agenda_of(folder: Path, num_seeds: int) -> Agenda:
    """One search, which is being computed, with that many retrainings to come."""
    trials = tiny_trials(f"retrain.seed={list(range(num_seeds))}")
    agenda = Agenda(Store.create(folder / "store"), trials)
    task = agenda.next()
    assert task is not None and task.stage.kind == "search"
    return agenda


def room_of(num_slots: int, cpus_of_search: int = 1) -> Room:
    shares = {"search": Share(cpus_of_search, 0), "retrain": Share(1, 0)}
    return Room([{"CPU": float(num_slots)}], shares)


@pytest.mark.parametrize(
    ("num_seeds", "num_slots", "num_standbys"),
    [(1, 4, 0), (2, 4, 1), (4, 2, 1), (4, 8, 3), (4, 1, 0)],
)
def test_a_process_stands_by_for_each_stage_to_come_that_will_find_a_slot(
    tmp_path: Path, num_seeds: int, num_slots: int, num_standbys: int
) -> None:
    standbys = Standbys(agenda_of(tmp_path, num_seeds), room_of(num_slots), is_wanted=True)
    for number in range(num_standbys):
        assert standbys.next() == "retrain"
        standbys.began(str(number), "retrain")
    assert standbys.next() is None


def test_nothing_stands_by_where_others_may_want_the_slot(tmp_path: Path) -> None:
    assert Standbys(agenda_of(tmp_path, 4), room_of(4), is_wanted=False).next() is None


@pytest.mark.parametrize(
    ("cpus_of_search", "kind", "ended"),
    [(2, "retrain", "b"), (2, "search", "a"), (1, "search", "a"), (1, "retrain", "a")],
)
def test_what_stands_by_with_the_resources_of_a_stage_makes_room_for_it(
    tmp_path: Path, cpus_of_search: int, kind: str, ended: str
) -> None:
    room = room_of(8, cpus_of_search)
    standbys = Standbys(agenda_of(tmp_path, 4), room, is_wanted=True)
    for trial_id, own in (("a", "search"), ("b", "retrain"), ("c", "retrain")):
        standbys.began(trial_id, own)
    standbys.make_room(kind)
    assert [trial_id for trial_id in "abc" if standbys.is_over(trial_id)] == list(ended)


def test_where_nothing_stands_by_with_the_resources_of_a_stage_all_make_room(
    tmp_path: Path,
) -> None:
    standbys = Standbys(agenda_of(tmp_path, 4), room_of(4, cpus_of_search=4), is_wanted=True)
    for trial_id in "abc":
        standbys.began(trial_id, "retrain")
    standbys.make_room("search")
    assert all(standbys.is_over(trial_id) for trial_id in "abc")


def test_after_one_that_stood_by_has_died_there_are_no_more(tmp_path: Path) -> None:
    standbys = Standbys(agenda_of(tmp_path, 4), room_of(4), is_wanted=True)
    standbys.died("of a stage")
    assert standbys.next() == "retrain"
    standbys.began("a", "retrain")
    standbys.died("a")
    assert standbys.next() is None
