import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import pytest
import torch
from random_images import NUM_CLASSES, random_batch, random_images
from safetensors.torch import load, save
from timm.utils import ModelEmaV3
from torch import Tensor
from torch._dynamo.utils import counters
from torch.nn import functional as F

from fairdarts.config import RetrainConfig
from fairdarts.data.augment import normalise
from fairdarts.data.images import ImageSet, held_out
from fairdarts.errors import ConfigError, GenotypeError
from fairdarts.genotype.any_genotype import AnyGenotype
from fairdarts.genotype.cell_genotype import Edge, Genotype
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.retrain import (
    TEST_METRICS,
    TRAIN_METRICS,
    VALIDATION_METRICS,
    RetrainEpoch,
    RetrainState,
    evaluate,
    retrain,
    train_step,
)
from fairdarts.presets import RECIPES
from fairdarts.training.metrics import EpochMeter

CPU = torch.device("cpu")
GENOTYPE = Genotype(
    normal=(Edge("sep_conv_3x3", 0, 2), Edge("skip_connect", 1, 2), Edge("dil_conv_3x3", 2, 3)),
    reduce=(Edge("skip_connect", 0, 2), Edge("max_pool_3x3", 1, 3), Edge("skip_connect", 2, 3)),
)


def tiny_config(**changes: object) -> RetrainConfig:
    tiny = {"init_channels": 2, "num_cells": 3, "epochs": 3, "batch_size": 4, "drop_path": 0.9}
    return RetrainConfig.build(tiny | changes)


def tiny_images(count: int, seed: int = 1) -> ImageSet:
    return random_images(count, 32, seed)


@dataclass(frozen=True)
class Run:
    """What a retraining reported, without wall times, and the state it saved after each epoch."""

    epochs: list[RetrainEpoch]
    saved: list[bytes]


def run(
    config: RetrainConfig,
    checkpoint: bytes | None = None,
    genotype: AnyGenotype = GENOTYPE,
) -> Run:
    """Retrain on batches of 4 and 3 images and test on 5."""
    finished = Run([], [])

    def on_epoch(epoch: RetrainEpoch, state: RetrainState) -> None:
        finished.epochs.append(replace(epoch, wall_s=0))
        finished.saved.append(state.to_bytes())

    retrain(
        genotype,
        config,
        tiny_images(7),
        tiny_images(5, seed=2),
        device=CPU,
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )
    return finished


uninterrupted: Callable[[RetrainConfig], Run] = lru_cache(run)


def double_state(config: RetrainConfig) -> RetrainState:
    state = RetrainState(GENOTYPE, config, NUM_CLASSES, CPU)
    state.network.double()
    return state


def double_batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    return random_batch(4, 32, seed, torch.float64)


def test_train_step_descends_both_heads_by_sgd_with_clip_decay_and_momentum() -> None:
    state = double_state(tiny_config())
    weights = list(state.network.parameters())
    expected = [weight.detach().clone() for weight in weights]
    velocity = [torch.zeros_like(weight) for weight in weights]
    for seed, grad_clip, clips in ((1, 0.05, True), (2, 1e9, False)):
        config = tiny_config(weight_decay=0.01, auxiliary_weight=0.4, grad_clip=grad_clip)
        state.optimizer.param_groups[0]["weight_decay"] = config.weight_decay
        images, labels = double_batch(seed)
        twin = copy.deepcopy(state.network)
        logits, auxiliary_logits = twin(images)
        main_loss = F.cross_entropy(logits, labels)
        total = main_loss + 0.4 * F.cross_entropy(auxiliary_logits, labels)
        gradients = torch.autograd.grad(total, list(twin.parameters()))
        norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
        assert (norm > grad_clip) == clips
        scale = grad_clip / (norm + 1e-6) if clips else 1.0

        loss, top1 = train_step(state, (images, labels), config)
        assert loss.item() == pytest.approx(main_loss.item(), rel=1e-12)
        assert top1.item() == 25 * int((logits.argmax(dim=1) == labels).sum())
        for index, gradient in enumerate(gradients):
            velocity[index] = 0.9 * velocity[index] + scale * gradient + 0.01 * expected[index]
            expected[index] = expected[index] - config.lr * velocity[index]
            torch.testing.assert_close(weights[index], expected[index], rtol=1e-9, atol=1e-12)


def test_auxiliary_weight_zero_builds_no_head() -> None:
    state = double_state(tiny_config(auxiliary_weight=0.0))
    assert state.network.auxiliary_head is None
    train_step(state, double_batch(), tiny_config(auxiliary_weight=0.0))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels_last": False},
        {"drop_path_mode": "edge"},
        {"drop_path_mode": "edge", "channels_last": False},
        {"optimizer": "rmsprop", "lr_schedule": "exponential", "warmup_epochs": 2},
        {"ema_decay": 0.5, "decay_norms": False, "label_smoothing": 0.1, "num_validation": 3},
    ],
)
def test_retraining_resumed_after_any_epoch_equals_the_uninterrupted_one_bit_for_bit(
    changes: dict[str, object],
) -> None:
    config = tiny_config(**changes)
    assert config.auxiliary_weight > 0
    assert config.cutout > 0
    whole = uninterrupted(config)
    for num_finished in (1, 2):
        torch.manual_seed(num_finished)  # a new process has other global generators
        rest = run(config, checkpoint=whole.saved[num_finished - 1])
        assert rest.epochs == whole.epochs[num_finished:]
        assert rest.saved == whole.saved[num_finished:]


LAYERS = LayerGenotype.from_words(["E3K3+skip", "E3K5", "E3K3", "E3K3", "E3K3+E6K3", "E3K3"])


def test_a_network_of_s2_is_retrained_by_its_recipe_and_resumes_bit_for_bit() -> None:
    recipe = RECIPES["imagenet-s2-se"] | {"epochs": 3, "warmup_epochs": 1, "batch_size": 4}
    config = RetrainConfig.build(recipe | {"auto_augment": False, "width": 0.25, "ema_decay": 0.5})
    whole = run(config, genotype=LAYERS)
    assert whole.epochs[0].lr == pytest.approx(0.008)
    rest = run(config, checkpoint=whole.saved[0], genotype=LAYERS)
    assert (rest.epochs, rest.saved) == (whole.epochs[1:], whole.saved[1:])
    keys = load(whole.saved[0]).keys()
    assert any(key.startswith("average/layers") for key in keys)
    assert any(".excite." in key for key in keys)


def test_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    config = tiny_config()
    torch.manual_seed(99)
    again = run(config)
    assert again == uninterrupted(config)
    other = run(tiny_config(seed=1))
    assert other.saved[0] != again.saved[0]
    assert other.epochs[0].metrics != again.epochs[0].metrics


@pytest.mark.parametrize(
    "change",
    [
        {"drop_path": 0.0},
        {"drop_path_mode": "edge"},
        {"cutout": 0},
        {"batch_size": 7},
        {"label_smoothing": 0.1},
        {"decay_norms": False},
        {"optimizer": "rmsprop"},
        {"lr_schedule": "exponential"},
        {"warmup_epochs": 1},
        {"num_validation": 2},
        {"precision": "bfloat16"},
    ],
)
def test_setting_changes_the_training(change: dict[str, object]) -> None:
    assert run(tiny_config(**change)).saved[-1] != uninterrupted(tiny_config()).saved[-1]


def test_resume_that_lost_the_momentum_would_differ() -> None:
    config = tiny_config()
    whole = uninterrupted(config)
    tensors = load(whole.saved[1])
    lost = [key for key in tensors if key.endswith("/momentum_buffer")]
    assert lost
    tensors |= {key: torch.zeros_like(tensors[key]) for key in lost}
    assert run(config, checkpoint=save(tensors)).saved != whole.saved[2:]


def test_finished_retraining_resumes_to_nothing() -> None:
    config = tiny_config()
    assert run(config, checkpoint=uninterrupted(config).saved[-1]) == Run([], [])


def test_drop_path_grows_linearly_with_the_epoch() -> None:
    config = tiny_config()
    state = double_state(config)
    given: list[float] = []
    state.network.cells[0].register_forward_pre_hook(lambda _, inputs: given.append(inputs[2]))
    for state.epoch in range(config.epochs):
        train_step(state, double_batch(), config)
    assert given == pytest.approx([0.0, 0.3, 0.6])


def test_learning_rate_falls_to_a_last_one_above_zero() -> None:
    whole = uninterrupted(tiny_config())
    # 0.025 (1 + cos(epoch pi / 3)) / 2: 0 would come in epoch 3.
    assert [epoch.lr for epoch in whole.epochs] == pytest.approx([0.025, 0.01875, 0.00625])
    assert [(epoch.epoch, epoch.num_images) for epoch in whole.epochs] == [(0, 7), (1, 7), (2, 7)]


def test_every_epoch_is_measured_on_the_whole_test_set_without_touching_the_state() -> None:
    config = tiny_config(epochs=1)
    test = tiny_images(5, seed=2)
    epochs: list[RetrainEpoch] = []
    state = retrain(
        GENOTYPE,
        config,
        tiny_images(7),
        test,
        device=CPU,
        on_epoch=lambda epoch, _: epochs.append(epoch),
    )
    before = state.to_bytes()
    measured = evaluate(state.network, test, TEST_METRICS, config)
    assert state.to_bytes() == before
    assert measured == {name: epochs[0].metrics[name] for name in ("test_loss", "test_top1_pct")}
    assert set(epochs[0].metrics) == {*TRAIN_METRICS, *measured}


def test_evaluation_averages_over_batches_of_different_sizes() -> None:
    config = tiny_config(auxiliary_weight=0.0)
    state = RetrainState(GENOTYPE, config, NUM_CLASSES, CPU)
    images = random_images(256 + 3, 8)
    with torch.no_grad():
        logits, _ = state.network.eval()(normalise(images.images, images.mean, images.std))
        loss = F.cross_entropy(logits, images.labels).item()
    num_right = int((logits.argmax(dim=1) == images.labels).sum())
    assert 0 < num_right < len(images)
    state.network.train()  # evaluation must switch it off: batch statistics depend on the batch
    measured = evaluate(state.network, images, TEST_METRICS, config)
    assert measured["test_loss"] == pytest.approx(loss, rel=1e-5)
    assert measured["test_top1_pct"] == pytest.approx(100 * num_right / len(images))


def test_held_out_images_are_measured_and_not_trained_on() -> None:
    train, epochs = tiny_images(7), list[RetrainEpoch]()
    config = tiny_config(num_validation=3, epochs=1)
    state = retrain(
        GENOTYPE,
        config,
        train,
        tiny_images(5, seed=2),
        device=CPU,
        on_epoch=lambda epoch, _: epochs.append(epoch),
    )
    assert epochs[0].num_images == 4
    _, validation = held_out(train, 3)
    measured = evaluate(state.network, validation, VALIDATION_METRICS, config)
    assert measured == {name: epochs[0].metrics[name] for name in VALIDATION_METRICS}


def test_accuracy_is_that_of_the_averaged_weights() -> None:
    decay = 0.75
    state = double_state(tiny_config(ema_decay=decay))
    state.average = ModelEmaV3(state.network, decay)  # anew: the state is in double precision now
    averages = [weight.detach().clone() for weight in state.network.parameters()]
    for seed in (1, 2):
        train_step(state, double_batch(seed), tiny_config(ema_decay=decay))
        for average, weight in zip(averages, state.network.parameters(), strict=True):
            average.lerp_(weight.detach(), 1 - decay)
    measured = list(state.measured_network.parameters())
    for average, weight in zip(averages, measured, strict=True):
        torch.testing.assert_close(weight, average, rtol=1e-12, atol=1e-12)
    plain = double_state(tiny_config())
    assert plain.measured_network is plain.network


def test_norms_and_biases_can_be_spared_from_weight_decay() -> None:
    state = double_state(tiny_config(decay_norms=False, weight_decay=0.5, grad_clip=0.0))
    before = {name: value.clone() for name, value in state.network.named_parameters()}
    state.optimizer.zero_grad()
    for parameter in state.network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    state.optimizer.step()
    for name, value in state.network.named_parameters():
        shrink = 1 - 0.025 * 0.5 if value.dim() > 1 else 1.0
        torch.testing.assert_close(value, before[name] * shrink)


def test_rmsprop_is_that_of_tensorflow() -> None:
    # Mean of squares from 1, epsilon inside the root, the rate inside the momentum.
    state = double_state(
        tiny_config(optimizer="rmsprop", weight_decay=0.0, lr=0.1, auxiliary_weight=0.0)
    )
    weight = next(state.network.parameters())
    expected, gradient = weight.detach().clone(), torch.full_like(weight, 2.0)
    square, velocity = torch.ones_like(weight), torch.zeros_like(weight)
    for _ in range(3):
        square = 0.9 * square + 0.1 * gradient**2
        velocity = 0.9 * velocity + 0.1 * gradient / (square + 1e-3).sqrt()
        expected = expected - velocity
        weight.grad = gradient.clone()
        state.optimizer.step()
    torch.testing.assert_close(weight, expected, rtol=1e-9, atol=1e-12)


def test_smoothed_labels_share_a_tenth_over_all_classes() -> None:
    config = tiny_config(label_smoothing=0.1, auxiliary_weight=0.0)
    state = double_state(config)
    images, labels = double_batch()
    logits, _ = copy.deepcopy(state.network)(images)
    log_probs = logits.log_softmax(dim=1)
    right = log_probs.gather(1, labels[:, None]).squeeze(1)
    expected = -(0.9 * right + 0.1 * log_probs.mean(dim=1)).mean()
    loss, _ = train_step(state, (images, labels), config)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("drop_path_mode", ["node", "edge"])
def test_nothing_is_read_back_to_the_host_within_an_epoch(drop_path_mode: str) -> None:
    # On the meta device there are shapes but no values: reading one raises.
    config = tiny_config(drop_path_mode=drop_path_mode)
    meta = torch.device("meta")
    state = RetrainState(GENOTYPE, config, NUM_CLASSES, meta)
    state.epoch = 2  # some paths are dropped
    batch = (torch.empty(4, 3, 32, 32, device=meta), torch.empty(4, dtype=torch.int64, device=meta))
    meter = EpochMeter(TRAIN_METRICS, meta)
    meter.add(4, *train_step(state, batch, config))
    with pytest.raises((RuntimeError, NotImplementedError)):
        meter.means()


@pytest.mark.slow
def test_compiled_retraining_is_the_same_and_is_not_compiled_anew_every_epoch() -> None:
    changes = {"auxiliary_weight": 0.0, "epochs": 5, "batch_size": 7}
    plain = uninterrupted(tiny_config(**changes))
    torch.compiler.reset()
    counters.clear()
    compiled = run(tiny_config(**changes, compile=True))
    # In the first epoch nothing is dropped; later ones draw other random numbers.
    for name, value in plain.epochs[0].metrics.items():
        assert compiled.epochs[0].metrics[name] == pytest.approx(value, rel=1e-3)
    # Training without and with drop path, evaluation, and one that takes any probability.
    assert counters["stats"]["unique_graphs"] <= 4
    assert load(compiled.saved[0]).keys() == load(plain.saved[0]).keys()


def test_genotype_without_a_live_node_is_refused() -> None:
    dead = Genotype((Edge("skip_connect", 2, 3),), GENOTYPE.reduce)
    with pytest.raises(GenotypeError, match="normal cell"):
        RetrainState(dead, tiny_config(), NUM_CLASSES, CPU)


def test_a_graph_is_the_default_on_a_gpu_alone_and_excludes_compiling() -> None:
    assert tiny_config().is_captured("cuda")
    assert not tiny_config().is_captured("cpu")
    assert not tiny_config(cuda_graph=False).is_captured("cuda")
    assert not tiny_config(compile=True).is_captured("cuda")
    with pytest.raises(ConfigError, match="cuda_graph cannot be used with compile"):
        tiny_config(cuda_graph=True, compile=True)
