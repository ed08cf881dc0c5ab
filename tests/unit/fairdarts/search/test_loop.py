import copy
import math
from collections.abc import Callable
from functools import lru_cache

import pytest
import torch
from random_images import NUM_CLASSES, random_batch, random_images
from recorded_search import RecordedSearch, recorded_search
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F

from fairdarts.config import SearchConfig
from fairdarts.cures import PERTURBATIONS
from fairdarts.data.augment import Augmentation
from fairdarts.data.images import ImageSet, halves
from fairdarts.data.stream import Batch, BatchStream
from fairdarts.errors import ConfigError
from fairdarts.presets import METHODS
from fairdarts.search.loop import SearchEpoch, search
from fairdarts.search.objectives import ARCH_METRICS, WEIGHT_METRICS
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step, step_alphas, step_weights
from fairdarts.supernet.base import Supernet
from fairdarts.training.metrics import EpochMeter, top1_pct

CPU = torch.device("cpu")


def tiny_config(method: str = "fairdarts", **changes: object) -> SearchConfig:
    tiny = {"init_channels": 2, "num_cells": 3, "epochs": 3, "batch_size": 4}
    return SearchConfig.build(METHODS[method]["search"] | tiny | changes)


def tiny_images(count: int) -> ImageSet:
    return random_images(count, 8)


def run(config: SearchConfig, checkpoint: bytes | None = None) -> RecordedSearch:
    return recorded_search(config, 8, checkpoint)


uninterrupted: Callable[[SearchConfig], RecordedSearch] = lru_cache(run)


def double_state(config: SearchConfig) -> SearchState:
    """A float64 state whose alphas are spread, so that no gradient vanishes."""
    state = SearchState(config, NUM_CLASSES, CPU)
    state.supernet.double()
    return state


def double_batch(seed: int = 0) -> Batch:
    return random_batch(4, 8, seed, torch.float64)


def values(parameters: list[nn.Parameter]) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


def assert_all_close(actual: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def weight_gradients(supernet: Supernet, batch: Batch) -> list[Tensor]:
    """Gradients of L_train by the weights, of an untouched copy."""
    twin = copy.deepcopy(supernet)
    loss = F.cross_entropy(twin(batch[0], twin.gates()), batch[1])
    return list(torch.autograd.grad(loss, list(twin.weight_parameters())))


def alpha_gradients(supernet: Supernet, batch: Batch, zero_one_weight: float) -> list[Tensor]:
    """Gradients of the total loss by the alphas, written out, of an untouched copy."""
    twin = copy.deepcopy(supernet)
    gates = twin.gates()
    loss = F.cross_entropy(twin(batch[0], gates), batch[1])
    for gate in gates.values():
        loss = loss - zero_one_weight * ((gate - 0.5) ** 2).sum() / 196
    return list(torch.autograd.grad(loss, twin.architecture_parameters()))


@pytest.mark.parametrize("method", ["fairdarts", "darts"])
def test_alpha_step_descends_the_total_loss_by_adam_with_weight_decay(method: str) -> None:
    config = tiny_config(method, alpha_init_std=1.0)
    state = double_state(config)
    alphas = state.supernet.architecture_parameters()
    expected = values(alphas)
    first = [torch.zeros_like(alpha) for alpha in alphas]
    second = [torch.zeros_like(alpha) for alpha in alphas]
    for step in (1, 2):
        batch = double_batch(step)
        gradients = alpha_gradients(state.supernet, batch, config.zero_one_weight)
        step_alphas(state, batch, config)
        assert_all_close([a.grad for a in alphas if a.grad is not None], gradients)
        for index, gradient in enumerate(gradients):
            decayed = gradient + 1e-3 * expected[index]
            first[index] = config.alpha_beta1 * first[index] + (1 - config.alpha_beta1) * decayed
            second[index] = 0.999 * second[index] + 0.001 * decayed**2
            mean = first[index] / (1 - config.alpha_beta1**step)
            scale = (second[index] / (1 - 0.999**step)).sqrt() + 1e-8
            expected[index] = expected[index] - config.alpha_lr * mean / scale
        assert_all_close(values(alphas), expected)


def test_weight_step_descends_the_training_loss_by_sgd_with_clip_decay_and_momentum() -> None:
    config = tiny_config(alpha_init_std=1.0, weight_decay=0.01)
    state = double_state(config)
    weights = list(state.supernet.weight_parameters())
    expected = values(weights)
    velocity = [torch.zeros_like(weight) for weight in weights]
    for grad_clip, clips in ((0.05, True), (1e9, False)):
        batch = double_batch()
        gradients = weight_gradients(state.supernet, batch)
        norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
        assert (norm > grad_clip) == clips
        scale = grad_clip / (norm + 1e-6) if clips else 1.0
        step_weights(state, batch, config.model_copy(update={"grad_clip": grad_clip}))
        assert_all_close(
            [w.grad for w in weights if w.grad is not None], [scale * g for g in gradients]
        )
        for index, gradient in enumerate(gradients):
            decayed = scale * gradient + 0.01 * expected[index]
            velocity[index] = 0.9 * velocity[index] + decayed
            expected[index] = expected[index] - config.weight_lr * velocity[index]
        assert_all_close(values(weights), expected)


def test_weight_step_leaves_the_alphas_alone() -> None:
    state = double_state(tiny_config())
    alphas = state.supernet.architecture_parameters()
    before = values(alphas)
    step_weights(state, double_batch(), tiny_config())
    assert all(alpha.grad is None for alpha in alphas)
    assert all(map(torch.equal, values(alphas), before))


def test_alpha_step_leaves_the_weights_alone() -> None:
    state = double_state(tiny_config())
    weights = list(state.supernet.weight_parameters())
    before = values(weights)
    step_alphas(state, double_batch(), tiny_config())
    assert all(weight.grad is None for weight in weights)
    assert all(map(torch.equal, values(weights), before))


def test_both_steps_update_the_running_statistics_of_every_norm_once() -> None:
    state = double_state(tiny_config())

    def statistics(name: str) -> list[Tensor]:
        buffers = state.supernet.named_buffers()
        return [buffer.clone() for key, buffer in buffers if key.endswith(name)]

    start = statistics("running_mean")
    step_alphas(state, double_batch(1), tiny_config())
    between = statistics("running_mean")
    step_weights(state, double_batch(2), tiny_config())
    end = statistics("running_mean")
    assert not any(map(torch.equal, start, between))
    assert not any(map(torch.equal, between, end))
    assert {int(count) for count in statistics("num_batches_tracked")} == {2}


def test_search_step_trains_alphas_first_and_weights_with_the_new_alphas() -> None:
    config = tiny_config(alpha_init_std=1.0)
    state, twin = double_state(config), double_state(config)
    train, val = double_batch(1), double_batch(2)
    weight_metrics, arch_metrics = search_step(state, train, val, config)
    arch_loss, arch_top1, zero_one = step_alphas(twin, val, config)
    train_loss, train_top1 = step_weights(twin, train, config)
    assert WEIGHT_METRICS == ("train_loss", "train_top1_pct")
    assert weight_metrics == [train_loss, train_top1]
    assert ARCH_METRICS == ("arch_loss", "arch_top1_pct", "zero_one_loss")
    assert arch_metrics == [arch_loss, arch_top1, zero_one]
    assert state.to_bytes() == twin.to_bytes()


@pytest.mark.parametrize("changes", [{}, {"order": 2}, {"optimization": "single_level"}], ids=str)
def test_metrics_of_a_step_hold_no_graph(changes: dict[str, object]) -> None:
    config = tiny_config(**changes)
    metrics = search_step(double_state(config), double_batch(1), double_batch(2), config)
    assert all(metric.grad_fn is None for level in metrics for metric in level)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"perturbation": "nosuch"},
            r"perturbation \(='nosuch'\) is not known; allowed: alpha_noi",
        ),
        ({"stopping": "nosuch"}, r"stopping \(='nosuch'\) is not known; allowed: eigenvalue, two"),
        ({"space": "s9"}, r"space \(='s9'\) is not known; allowed: s1, s1_no_skip"),
        ({"order": 2, "optimization": "single_level"}, "order 2 needs optimization = bilevel"),
        ({"stopping": "eigenvalue", "optimization": "single_level"}, "eigenvalue needs optim"),
        ({"order": 2, "perturbation": "skip_noise"}, "order 2 needs precision = float32 and no"),
        ({"perturbation_strength": 0.4}, "needs a perturbation; allowed: skip_noise"),
        (
            {"space": "s1_no_skip", "perturbation": "skip_noise"},
            "skip_noise needs skip",
        ),
        ({"space": "s1_no_skip", "stopping": "two_skips"}, "two_skips needs skip"),
        ({"order": 2, "precision": "bfloat16"}, "order 2 needs precision = float32 and no"),
        ({"perturbation": "drop_path"}, r"perturbation_strength \(=1.0\) must be below 1 for drop"),
        ({"perturbation": "skip_noise", "recompute": True}, "recompute cannot be used"),
        ({"kernels": True}, "they compute cells of 16, 32, 64, 128 channels alone"),
        ({"kernels": True, "init_channels": 64}, "they compute cells of 16, 32, 64, 128 channels"),
        (
            {"kernels": True, "init_channels": 16, "channels_last": False},
            "they need channels_last = true",
        ),
    ],
    ids=str,
)
def test_settings_that_do_not_fit_are_refused_in_a_sentence(
    changes: dict[str, object], fault: str
) -> None:
    with pytest.raises(ConfigError, match=fault):
        tiny_config(**changes)


def test_kernels_are_refused_in_a_sentence_where_they_cannot_run() -> None:
    fault = r"search.kernels = true cannot be used here: (the device is a CPU|Triton is missing)"
    with pytest.raises(ConfigError, match=fault):
        run(tiny_config(kernels=True, init_channels=16))


@pytest.mark.parametrize("step", [step_alphas, step_weights])
def test_every_parameter_is_trainable_again_after_a_step_even_a_failed_one(
    step: Callable[[SearchState, Batch, SearchConfig], list[Tensor]],
) -> None:
    state = double_state(tiny_config())
    step(state, double_batch(), tiny_config())
    assert all(parameter.requires_grad for parameter in state.supernet.parameters())
    images, labels = double_batch()
    with pytest.raises(RuntimeError):
        step(state, (images[:, :2], labels), tiny_config())  # two colours instead of three
    assert all(parameter.requires_grad for parameter in state.supernet.parameters())


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("fairdarts", {}),
        ("fairdarts", {"channels_last": False}),
        ("darts", {}),
        ("darts", {"order": 2}),
        ("fairdarts", {"optimization": "single_level"}),
        ("fairdarts", {"space": "s1_no_skip", "zero_one_form": "l1"}),
        ("darts", {"stopping": "two_skips"}),
        pytest.param(
            "darts", {"stopping": "eigenvalue", "recompute": True}, marks=pytest.mark.slow
        ),
        *(
            ("darts", {"perturbation": name, "perturbation_strength": 0.5})
            for name in PERTURBATIONS
        ),
    ],
    ids=str,
)
def test_search_resumed_after_any_epoch_equals_the_uninterrupted_one_bit_for_bit(
    method: str, changes: dict[str, object]
) -> None:
    config = tiny_config(method, **changes)
    whole = uninterrupted(config)
    for num_finished in (1, 2):
        torch.manual_seed(num_finished)  # a new process has other global generators
        rest = run(config, checkpoint=whole.saved[num_finished - 1])
        assert rest.epochs == whole.epochs[num_finished:]
        assert rest.saved == whole.saved[num_finished:]


def test_same_seed_gives_the_same_search_and_another_seed_another() -> None:
    whole = uninterrupted(tiny_config())
    torch.manual_seed(99)
    again, other = (run(tiny_config(seed=seed, epochs=1)) for seed in (0, 1))
    # The first epoch of every schedule is the same.
    assert (again.epochs, again.saved) == (whole.epochs[:1], whole.saved[:1])
    assert other.epochs[0].alphas != again.epochs[0].alphas
    assert other.epochs[0].metrics["train_loss"] != again.epochs[0].metrics["train_loss"]


@pytest.mark.parametrize("lost", ["momentum_buffer", "exp_avg"])
def test_resume_that_lost_an_optimiser_moment_would_differ(lost: str) -> None:
    config = tiny_config()
    whole = uninterrupted(config)
    tensors = load(whole.saved[1])
    keys = [key for key in tensors if key.endswith(f"/{lost}")]
    assert keys
    rest = run(config, checkpoint=save(tensors | {k: torch.zeros_like(tensors[k]) for k in keys}))
    assert rest.saved[-1] != whole.saved[-1]
    # The last weight step comes after the last alpha step, so lost momentum shows in the weights.
    assert (rest.epochs[-1].alphas != whole.epochs[-1].alphas) == (lost == "exp_avg")


def test_resume_at_another_epoch_would_differ() -> None:
    config = tiny_config()
    whole = uninterrupted(config)
    tensors = load(whole.saved[1])
    tensors["epoch"] -= 1
    assert run(config, checkpoint=save(tensors)).epochs[0] != whole.epochs[1]


def test_finished_search_resumes_to_nothing() -> None:
    config = tiny_config()
    assert run(config, checkpoint=uninterrupted(config).saved[-1]) == RecordedSearch([], [])


def replayed(
    config: SearchConfig, images: ImageSet, num_steps: int
) -> tuple[bytes, list[list[float]]]:
    """The state after so many steps of whole epochs, and the metrics of each step."""
    twin = SearchState(config, NUM_CLASSES, CPU)
    train, val = (
        BatchStream(half, 4, config.seed, name, Augmentation(), config.channels_last)
        for half, name in zip(halves(images), ("weights", "alphas"), strict=True)
    )
    rows = []
    for step in range(num_steps):
        twin.epoch, position = divmod(step, len(train))
        if position == 0:
            twin.weight_schedule.step(twin.epoch)
        weight_metrics, arch_metrics = search_step(twin, train.batch(step), val.batch(step), config)
        rows.append([metric.item() for metric in (*weight_metrics, *arch_metrics)])
    twin.epoch += 1
    return twin.to_bytes(), rows


def test_epochs_follow_the_schedule_and_the_alphas_cycle_their_half_at_its_own_pace() -> None:
    config = tiny_config()
    whole = uninterrupted(config)
    saved, rows = replayed(config, tiny_images(11), num_steps=2)
    assert saved == whole.saved[1]
    assert [list(epoch.metrics.values()) for epoch in whole.epochs[:2]] == rows
    assert [epoch.epoch for epoch in whole.epochs] == [0, 1, 2]
    # 0.001 + 0.004 (1 + cos(epoch pi / 3)) / 2: 0.001 would come in epoch 3.
    assert [epoch.lr for epoch in whole.epochs] == pytest.approx([0.005, 0.004, 0.002])


def test_epoch_reports_means_per_image_and_the_alphas_after_it() -> None:
    config = tiny_config(epochs=1)
    images = tiny_images(13)  # weights: batches of 4 and 2; alphas: of 4 and 3
    epochs: list[SearchEpoch] = []
    state = search(config, images, device=CPU, on_epoch=lambda epoch, _: epochs.append(epoch))
    saved, (first, second) = replayed(config, images, num_steps=2)
    assert state.to_bytes() == saved
    (epoch,) = epochs
    assert epoch.num_images == 6
    assert tuple(epoch.metrics) == (*WEIGHT_METRICS, *ARCH_METRICS)
    for index, value in enumerate(epoch.metrics.values()):
        rest = 2 if index < len(WEIGHT_METRICS) else 3
        mean = (4 * first[index] + rest * second[index]) / (4 + rest)
        assert value == pytest.approx(mean)
    alphas = torch.cat([state.supernet.alphas[kind].flatten() for kind in ("normal", "reduce")])
    assert epoch.alphas == alphas.tolist()
    assert epoch.gates == alphas.sigmoid().tolist()


@pytest.mark.slow  # operations on the meta device are Python, and a supernet has thousands
@pytest.mark.parametrize("method", ["fairdarts", "darts"])
def test_nothing_is_read_back_to_the_host_within_an_epoch(method: str) -> None:
    # On the meta device there are shapes but no values: reading one raises.
    config = tiny_config(method)
    meta = torch.device("meta")
    state = SearchState(config, NUM_CLASSES, meta)
    batch = (torch.empty(4, 3, 8, 8, device=meta), torch.empty(4, dtype=torch.int64, device=meta))
    meter = EpochMeter(WEIGHT_METRICS, meta)
    weight_metrics, _ = search_step(state, batch, batch, config)
    meter.add(4, *weight_metrics)
    with pytest.raises((RuntimeError, NotImplementedError)):
        meter.means()


def test_diverged_gate_is_reported_as_nan() -> None:
    config = tiny_config(epochs=1)
    state = SearchState(config, NUM_CLASSES, CPU)
    with torch.no_grad():
        state.supernet.alphas["normal"][0, 0] = math.nan
    finished = run(config, checkpoint=state.to_bytes())
    assert math.isnan(finished.epochs[0].gates[0])
    assert math.isnan(finished.epochs[0].alphas[0])
    assert math.isnan(finished.epochs[0].metrics["zero_one_loss"])


def test_meter_weighs_each_batch_by_its_images() -> None:
    meter = EpochMeter(("loss", "top1"), CPU)
    assert meter.means() == {"loss": 0.0, "top1": 0.0}
    meter.add(3, torch.tensor(1.0), torch.tensor(100.0))
    meter.add(1, torch.tensor(2.0), torch.tensor(0.0))
    assert meter.means() == {"loss": 1.25, "top1": 75.0}
    assert meter.num_images == 4


def test_top1_counts_highest_logits_in_percent() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.0], [3.0, 1.0, 0.0], [0.0, 0.0, 1.0], [5.0, 1.0, 1.0]])
    assert top1_pct(logits, torch.tensor([1, 0, 2, 2])).item() == 75.0


def test_images_that_the_cells_cannot_halve_are_refused_before_the_first_step() -> None:
    with pytest.raises(ConfigError, match=r"image_size \(=10x10\) must be divisible by 4"):
        search(tiny_config(), random_images(8, 10), device=CPU, on_epoch=lambda epoch, state: None)
