"""Searches in S2: settings, resuming, recomputation and micro-batches."""

from functools import lru_cache

import pytest
import torch
from random_images import NUM_CLASSES, random_batch
from recorded_search import RecordedSearch, recorded_search
from torch import Tensor

from fairdarts.config import SearchConfig
from fairdarts.cures import PERTURBATIONS
from fairdarts.data.stream import Batch
from fairdarts.errors import ConfigError
from fairdarts.presets import METHODS, presets
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step, step_alphas, step_weights
from fairdarts.supernet.base import Supernet

CPU = torch.device("cpu")


def config_of(method: str = "fairdarts", space: str = "s2", **changes: object) -> SearchConfig:
    tiny: dict[str, object] = {"space": space, "epochs": 2, "batch_size": 4}
    if space.startswith("s2"):
        tiny |= {"width": 0.25, "num_layers": 6}
    else:
        tiny |= {"init_channels": 2, "num_cells": 3}
    return SearchConfig.build(presets(method, space)["search"] | tiny | changes)


def run(config: SearchConfig, checkpoint: bytes | None = None) -> RecordedSearch:
    return recorded_search(config, 32, checkpoint)


uninterrupted = lru_cache(run)


def batch_of(seed: int, num: int = 6, dtype: torch.dtype = torch.float32, size: int = 32) -> Batch:
    return random_batch(num, size, seed, dtype)


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("fairdarts", {}),
        ("fairdarts", {"space": "s2_identity_skip", "micro_batches": 2, "recompute": True}),
        ("fairdarts", {"optimization": "single_level"}),
        ("darts", {}),
        ("darts", {"order": 2}),
        *(
            ("darts", {"perturbation": name, "perturbation_strength": 0.5})
            for name in PERTURBATIONS
        ),
    ],
    ids=str,
)
def test_search_resumed_after_an_epoch_equals_the_uninterrupted_one_bit_for_bit(
    method: str, changes: dict[str, object]
) -> None:
    config = config_of(method, **changes)
    whole = uninterrupted(config)
    torch.manual_seed(1)  # a new process has other global generators
    rest = run(config, checkpoint=whole.saved[0])
    assert (rest.epochs, rest.saved) == (whole.epochs[1:], whole.saved[1:])


def test_epoch_reports_the_gates_of_all_layers() -> None:
    epochs = uninterrupted(config_of()).epochs
    assert len(epochs[-1].gates) == len(epochs[-1].alphas) == 6 * 7
    assert len(set(epochs[-1].gates)) > 20


def state_after_two_steps(config: SearchConfig) -> dict[str, Tensor]:
    state = SearchState(config, NUM_CLASSES, CPU)
    state.supernet.train()
    for seed in (0, 2):
        search_step(state, batch_of(seed), batch_of(seed + 1), config)
    return state.supernet.state_dict()


@pytest.mark.parametrize("channels_last", [True, False])
def test_recomputed_choices_give_the_same_bits_running_statistics_included(
    channels_last: bool,
) -> None:
    kept = state_after_two_steps(config_of(channels_last=channels_last))
    recomputed = state_after_two_steps(config_of(channels_last=channels_last, recompute=True))
    names = [name for name in kept if not name.endswith("num_batches_tracked")]  # nothing reads it
    assert [name for name in names if not torch.equal(kept[name], recomputed[name])] == []


@pytest.mark.parametrize("space", ["s1", "s2", "s2_identity_skip"])
@pytest.mark.parametrize("optimization", ["bilevel", "single_level"])
def test_micro_batches_give_the_step_of_the_whole_batch_where_batch_norm_is_frozen(
    space: str, optimization: str
) -> None:
    states = []
    for micro_batches in (1, 3):  # of 7 images: parts of 3, 2 and 2
        config = config_of(
            space=space,
            micro_batches=micro_batches,
            optimization=optimization,
            alpha_init_std=1.0,
            batch_size=7,
        )
        state = SearchState(config, NUM_CLASSES, CPU)
        state.supernet.double()
        size = 8 if space == "s1" else 32
        train, val, other = (batch_of(seed, 7, torch.float64, size) for seed in range(3))
        warm_up(state.supernet, other)
        state.supernet.eval()
        metrics = search_step(state, train, val, config)
        states.append((metrics, dict(state.supernet.named_parameters())))
    torch.testing.assert_close(states[1], states[0], rtol=1e-9, atol=1e-12)


def warm_up(supernet: Supernet, batch: Batch) -> None:
    """Running statistics as of a batch, so that features in evaluation mode are of order 1."""
    for module in supernet.modules():
        if hasattr(module, "running_var") and hasattr(module, "momentum"):
            module.momentum = 1.0
    with torch.no_grad():
        supernet.train()(batch[0], supernet.gates())


def test_a_batch_is_never_split_into_single_images() -> None:
    config = config_of(micro_batches=2)
    state = SearchState(config, NUM_CLASSES, CPU)
    state.supernet.train()
    for step in (step_alphas, step_weights):
        step(state, batch_of(0, num=3), config)  # 1 x 1 pixels in the end: batch norm needs two


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"space": "s1", "width": 0.5},
            r"width \(=0.5\) is not a setting of space = s1, which",
        ),
        (
            {"space": "s1_no_skip", "num_layers": 6},
            r"num_layers \(=6\) is not a setting of space =",
        ),
        (
            {"space": "s2", "init_channels": 8},
            r"init_channels \(=8\) is not a setting of",
        ),
        ({"space": "s2", "num_cells": 5}, "which has width and num_layers instead"),
        ({"space": "s2", "num_layers": 7}, r"num_layers \(=7\) must be one of 6, 11, 15, 19"),
        ({"space": "s2", "width": 0.0}, r"width \(=0.0\)"),
        ({"space": "s2", "stopping": "two_skips"}, "two_skips needs a space of cells and not s2"),
        ({"micro_batches": 65}, r"micro_batches \(=65\) must leave two images or more"),
        ({"order": 2, "micro_batches": 2}, "order 2 needs micro_batches = 1"),
        (
            {"space": "s2", "perturbation": "skip_noise", "recompute": True},
            "recompute cannot be used with a perturbation",
        ),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_the_space_are_refused_in_a_sentence(
    changes: dict[str, object], fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault) as error:
        SearchConfig.build(changes, "search")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("space", ["s2", "s2_identity_skip"])
def test_presets_of_s2_are_the_paper_s_whatever_the_method(method: str, space: str) -> None:
    values = presets(method, space)
    config = values["search"]
    assert (config["epochs"], config["batch_size"]) == (30, 1024)
    assert (config["weight_lr"], config["weight_lr_min"], config["alpha_lr"]) == (0.02, 0.0, 5e-4)
    is_fair = method == "fairdarts"
    assert values["derive"]["rule"] == ("threshold_edge" if is_fair else "darts")
    assert config.get("relaxation", "sigmoid") == ("sigmoid" if is_fair else "softmax")
