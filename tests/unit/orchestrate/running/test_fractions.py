"""Fractions of a GPU, checked against what their stages will need of its memory."""

import pytest
import torch
from tiny_sweeps import tiny_trials

from cli.doctor_gpu import shares_elsewhere, shares_here
from orchestrate.errors import ClusterError
from orchestrate.planning.resources import Share
from orchestrate.running.busy import training_step
from orchestrate.running.forecast import sizes_of
from orchestrate.running.fractions import (
    CUDA_BYTES,
    check_fractions,
    check_peaks,
    fraction,
    most_that_fit,
    recommended,
)
from orchestrate.stages.nvml import smallest_memory

GIB = 2**30
FOUR = [6 * GIB, 5 * GIB, 5 * GIB, 5 * GIB]


def test_a_fraction_that_does_not_fit_is_refused_with_the_one_that_does() -> None:
    with pytest.raises(ClusterError) as refusal:
        check_peaks("search", FOUR, 0.25, 16 * GIB)
    assert str(refusal.value) == (
        "0.25 of a GPU for a search (resources.search.gpus, or resources.gpus_per_trial) puts 4 "
        "searches on one, which need 23.0 GiB of its 16.0 GiB of memory: set "
        "resources.search.gpus=0.5, or search.recompute=true."
    )
    check_peaks("search", FOUR, 0.5, 16 * GIB)
    check_peaks("search", FOUR, 0.25, 24 * GIB)
    check_peaks("search", FOUR[:2], 0.25, 16 * GIB)  # two are never four at once
    with pytest.raises(ClusterError, match=r"one alone needs 6\.5 GiB: take a larger GPU"):
        check_peaks("retrain", FOUR, 0.25, 6 * GIB)


def test_a_sweep_is_checked_by_kind_and_a_shared_stage_counts_once() -> None:
    # Four trials with one search; its tensors need megabytes, CUDA half a GiB.
    trials = tiny_trials(matrix={"retrain.seed": [0, 1, 2, 3]})
    shares = {"search": Share(1, 0.25), "retrain": Share(1, 1.0)}
    with pytest.raises(ClusterError, match=r"puts 1 search on one, which needs 0\.5 GiB"):
        check_fractions(trials, shares, CUDA_BYTES)


def test_whole_gpus_and_those_that_nobody_knows_are_not_checked() -> None:
    trials = tiny_trials()
    check_fractions(trials, {"search": Share(1, 1.0), "retrain": Share(1, 0.0)}, 1)
    check_fractions(trials, {"search": Share(1, 0.25), "retrain": Share(1, 0.25)}, None)


def test_the_largest_stages_may_meet_on_one_gpu() -> None:
    assert most_that_fit([8 * GIB, 2 * GIB, GIB], 12 * GIB) == 2
    assert most_that_fit([8 * GIB, 2 * GIB, GIB], 8 * GIB) == 0
    assert most_that_fit([GIB], 80 * GIB) == 1


def test_a_fraction_lets_as_many_stages_share_a_gpu_as_it_stands_for() -> None:
    parts = {number: fraction(number) for number in range(1, 50)}
    assert [parts[number] for number in (1, 2, 3, 4, 6)] == ["1", "0.5", "0.33", "0.25", "0.16"]
    for number, part in parts.items():
        assert Share(1, float(part)).fits({"CPU": 99, "GPU": 1}) == number


def test_as_many_stages_share_a_gpu_as_fill_it_and_fit() -> None:
    assert recommended(FOUR, 80 * GIB, busy_pct=95) == 1
    assert recommended(FOUR, 80 * GIB, busy_pct=45) == 2
    assert recommended(FOUR, 80 * GIB, busy_pct=20) == 4  # the sweep has no more
    assert recommended(FOUR, 12 * GIB, busy_pct=30) == 2
    assert recommended(FOUR, 80 * GIB, busy_pct=30, most=2) == 2
    assert recommended(FOUR, 80 * GIB, busy_pct=None) == 4
    assert recommended(FOUR, 4 * GIB, busy_pct=30) == 0


def test_without_a_gpu_the_memory_of_common_ones_is_told() -> None:
    found = list(shares_elsewhere(tiny_trials(), ["search"]))
    assert [finding.what for finding in found] == ["search on GPU"]
    allowed = "fractions down to 0.1 of 16 GiB, 0.1 of 24 GiB, 0.1 of 40 GiB, 0.1 of 80 GiB"
    assert allowed in found[0].value
    assert "can only be measured on one" in found[0].value


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU it is measured")
def test_a_gpu_that_cannot_be_measured_is_shared_by_memory_alone() -> None:
    trials = tiny_trials(matrix={"seed": [0, 1, 2]})
    shares = {"search": Share(1, 1.0), "retrain": Share(1, 0.0)}
    (found,) = shares_here(trials, shares, {"CPU": 8, "GPU": 2}, 2 * CUDA_BYTES + GIB // 4)
    assert "one needs 0.0 GiB of 1.2 GiB; how busy it keeps the GPU is not known (" in found.value
    assert found.value.endswith("): 2 at once")
    assert (found.remedy, found.is_fault) == ("--set resources.search.gpus=0.5", False)


@pytest.mark.parametrize("kind", ["search", "retrain"])
def test_what_is_measured_on_a_gpu_are_steps_of_the_trial(kind: str) -> None:
    (trial,) = tiny_trials()
    step = training_step(*sizes_of(trial, kind), torch.device("cpu"))
    assert step() and step()


def test_no_gpu_has_no_memory() -> None:
    assert smallest_memory(0) is None
