import math
from typing import Any

import pytest

from fairdarts.errors import ConfigError
from orchestrate.errors import ClusterError
from orchestrate.planning.resources import (
    Resources,
    Room,
    Share,
    gpu_names,
    gpu_with_room,
    stage_shares,
    this_machine,
)


@pytest.mark.parametrize(
    ("visible", "num_gpus"), [("-1", 0), ("", 0), ("0", 1), ("0,2", 2), ("1,-1,2", 1)]
)
def test_hidden_gpus_do_not_count(
    visible: str, num_gpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert this_machine()["GPU"] == num_gpus


@pytest.mark.parametrize(
    ("share", "node", "at_once"),
    [
        (Share(1, 0), {"CPU": 8}, 8),
        (Share(3, 0), {"CPU": 8}, 2),
        (Share(1, 0.5), {"CPU": 8, "GPU": 2}, 4),
        (Share(1, 0.4), {"CPU": 8, "GPU": 2}, 4),  # not 5: no trial spans two GPUs
        (Share(4, 0.5), {"CPU": 8, "GPU": 2}, 2),
        (Share(1, 1), {"CPU": 8}, 0),
    ],
)
def test_a_node_holds_as_many_trials_as_fit(
    share: Share, node: dict[str, float], at_once: int
) -> None:
    assert share.fits(node) == at_once


def test_a_stage_gets_a_gpu_where_there_is_any_and_none_elsewhere() -> None:
    with_gpus = stage_shares(Resources(), [{"CPU": 8}, {"CPU": 8, "GPU": 4}])
    assert [share.gpus for share in with_gpus.values()] == [1.0, 1.0]
    without = stage_shares(Resources(), [{"CPU": 8}])
    assert without == {"search": Share(1, 0.0), "retrain": Share(1, 0.0)}


@pytest.mark.parametrize(("gpus", "workers"), [(0.0, 0), (0.5, 6), (1.0, 6)])
def test_processes_decode_images_where_a_gpu_waits_for_them(gpus: float, workers: int) -> None:
    nodes = [{"CPU": 8.0, "GPU": 2.0}]
    resources = {"cpus_per_trial": 6, "gpus_per_trial": gpus}
    assert stage_shares(Resources(**resources), nodes)["search"].loader_workers == workers
    given = stage_shares(Resources(**resources, loader_workers=3), nodes)
    assert given["search"].loader_workers == 3


def test_each_kind_of_stage_may_get_its_own() -> None:
    table = {
        "cpus_per_trial": 2,
        "search": {"gpus": 0.5},
        "retrain": {"cpus": 4, "gpus": 0, "loader_workers": 1},
    }
    shares = stage_shares(Resources.build(table, "resources"), [{"CPU": 8.0, "GPU": 1.0}])
    assert shares == {"search": Share(2, 0.5, 2), "retrain": Share(4, 0, 1)}


def test_a_stage_must_fit_one_node_whole() -> None:
    nodes = [{"CPU": 64.0}, {"CPU": 4.0, "GPU": 4.0}]
    with pytest.raises(ClusterError, match=r"a search asks for 8 CPU .*no machine has both"):
        stage_shares(Resources(cpus_per_trial=8, gpus_per_trial=1.0), nodes)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ({"gpus_per_trial": 2}, r"gpus_per_trial \(=2\) is too many: a trial computes on one GPU"),
        ({"gpus_per_trial": 1.5}, r"gpus_per_trial \(=1.5\)"),
        ({"search": {"gpus": 4}}, r"resources.search: gpus \(=4\) is too many"),
        ({"retrain": {"gpu": 1}}, r"resources.retrain.gpu is not a setting"),
    ],
)
def test_more_than_one_gpu_for_a_trial_is_refused_with_the_reason(
    table: dict[str, Any], name: str
) -> None:
    with pytest.raises(ConfigError, match=name):
        Resources.build(table, "resources")


@pytest.mark.parametrize(
    ("running", "kinds"),
    [
        ({}, ["search", "retrain"]),
        ({"search": 1}, ["search", "retrain"]),
        ({"search": 2}, ["retrain"]),  # The one GPU is shared by two searches.
        ({"search": 2, "retrain": 6}, []),  # No CPU is left.
        ({"retrain": 8}, []),
        ({"retrain": 7}, ["search", "retrain"]),
    ],
)
def test_what_needs_no_gpu_has_room_beside_what_fills_them(
    running: dict[str, int], kinds: list[str]
) -> None:
    nodes = [{"CPU": 6.0}, {"CPU": 2.0, "GPU": 1.0}]
    room = Room(nodes, {"search": Share(1, 0.5), "retrain": Share(1, 0)})
    assert room.kinds(running) == kinds


def test_no_more_run_at_once_than_asked_for() -> None:
    room = Room([{"CPU": 8.0}], {"search": Share(1, 0), "retrain": Share(2, 0)}, 3)
    assert room.at_once == {"search": 3, "retrain": 3}
    assert room.kinds({"search": 2}) == ["search", "retrain"]
    assert room.kinds({"search": 2, "retrain": 1}) == []


def test_one_stage_waits_for_a_node_if_all_are_gone() -> None:
    room = Room([], {"search": Share(1, 0)})
    assert (room.kinds({}), room.kinds({"search": 1})) == (["search"], [])


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("30 min", 1800.0),
        ("2h", 7200.0),
        ("1.5 s", 1.5),
        (90, 90.0),
        (False, "never"),
        (None, None),
    ],
)
def test_a_stall_limit_may_be_given_in_several_ways(given: Any, meant: float | str | None) -> None:
    resources = Resources.build({"stall_after": given}, "resources")
    assert resources.stall_after == meant
    assert Resources.build(resources.model_dump(), "resources") == resources


@pytest.mark.parametrize(
    "given", ["soon", "30", "1.2.3 s", "0 min", 0, -1, True, math.inf, math.nan]
)
def test_a_stall_limit_that_means_nothing_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match="stall_after"):
        Resources.build({"stall_after": given}, "resources")


def test_visible_gpus_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, GPU-8f1a,-1,0")
    assert gpu_names() == ["3", "GPU-8f1a"]


def test_a_stage_goes_to_the_gpu_with_the_most_left_and_waits_if_none_has_enough() -> None:
    assert gpu_with_room({"0": 0.5, "1": 0.2}, 0.4) == "1"
    assert gpu_with_room({"0": 0.9, "1": 0.9}, 0.1) == "0"
    # Together they have room enough, but a stage computes on one GPU.
    assert gpu_with_room({"0": 0.6, "1": 0.8}, 0.6) is None
    assert gpu_with_room({"0": sum([0.1] * 9)}, 0.1) == "0"
    assert gpu_with_room({}, 1) is None
