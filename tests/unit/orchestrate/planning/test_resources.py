import pytest

from fairdarts.errors import ConfigError
from orchestrate.errors import ClusterError
from orchestrate.planning.resources import Resources, Share, this_machine, trial_share


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
        (Share(1, 2), {"CPU": 8, "GPU": 3}, 1),
        (Share(1, 1), {"CPU": 8}, 0),
    ],
)
def test_a_node_holds_as_many_trials_as_fit(
    share: Share, node: dict[str, float], at_once: int
) -> None:
    assert share.fits(node) == at_once


def test_a_trial_gets_a_gpu_where_there_is_any_and_none_elsewhere() -> None:
    assert trial_share(Resources(), [{"CPU": 8}, {"CPU": 8, "GPU": 4}]).gpus == 1.0
    assert trial_share(Resources(), [{"CPU": 8}]) == Share(1, 0.0)


@pytest.mark.parametrize(("gpus", "workers"), [(0.0, 0), (0.5, 6), (2.0, 6)])
def test_processes_decode_images_where_a_gpu_waits_for_them(gpus: float, workers: int) -> None:
    nodes = [{"CPU": 8.0, "GPU": 2.0}]
    resources = {"cpus_per_trial": 6, "gpus_per_trial": gpus}
    assert trial_share(Resources(**resources), nodes).loader_workers == workers
    assert trial_share(Resources(**resources, loader_workers=3), nodes).loader_workers == 3


def test_a_trial_must_fit_one_node_whole() -> None:
    nodes = [{"CPU": 64.0}, {"CPU": 4.0, "GPU": 4.0}]
    with pytest.raises(ClusterError, match=r"cpus_per_trial \(=8\).*no machine has both"):
        trial_share(Resources(cpus_per_trial=8, gpus_per_trial=1.0), nodes)


def test_a_fraction_of_gpus_above_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gpus_per_trial \(=1.5\)"):
        Resources.build({"gpus_per_trial": 1.5}, "resources")
