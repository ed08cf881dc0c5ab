"""A perturbed search step computes what the plain one does with the formula written out.

In float64; chance is replaced by a pattern that both compute.
"""

import math
from collections.abc import Callable

import pytest
import torch
from exact_search import assert_same, batches, config_of, states
from torch import Tensor, nn

from benchmarks.plain import plain_step, twins
from benchmarks.plain_supernet import PlainCell, PlainMixedOp, PlainSupernet
from fairdarts.search.step import search_step
from fairdarts.seeding import generator
from fairdarts.spaces import SKIP
from fairdarts.supernet.perturbation import PERTURBATION_CLASSES, Perturbation

PROGRESS = 0.25
STRENGTH = 0.4


def pattern(like: Tensor) -> Tensor:
    """Values between 0 and 1 that differ along every dimension."""
    steps = torch.arange(like.numel(), dtype=like.dtype).view(like.shape)
    return (steps * 0.7).sin().abs()


def of_edges(like: Tensor) -> Tensor:
    """The same for every edge: (B, E, ...) from (B, ...); alphas, (E, O), are taken whole."""
    if like.dim() == 2:
        return pattern(like)
    return pattern(like[:, 0]).unsqueeze(1).expand_as(like)


class Patterned(Perturbation):
    """Draws the pattern."""

    def normal(self, like: Tensor) -> Tensor:
        return of_edges(like)

    def survivors(self, drop_prob: float, like: Tensor) -> Tensor:
        return (of_edges(like) >= drop_prob).to(like.dtype) / (1 - drop_prob)


def plain_formula(name: str) -> Callable[[Tensor], Tensor]:
    decay = (1 + math.cos(math.pi * PROGRESS)) / 2

    def noise(x: Tensor) -> Tensor:
        return x + STRENGTH * decay * pattern(x)

    def dropout(x: Tensor) -> Tensor:
        rate = STRENGTH * (1 - PROGRESS)
        return torch.where(pattern(x) >= rate, x / (1 - rate), 0.0)

    def drop_path(x: Tensor) -> Tensor:
        rate = STRENGTH * PROGRESS
        images = x[:, :1, :1, :1]
        return torch.where(pattern(images) >= rate, x / (1 - rate), 0.0)

    return {
        "skip_noise": noise,
        "alpha_noise": noise,
        "skip_dropout": dropout,
        "drop_path": drop_path,
    }[name]


def disturb(supernet: PlainSupernet, name: str) -> None:
    """Apply the formula behind the candidates that it concerns."""
    formula = plain_formula(name)

    def hook(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return formula(output)

    for kind, cell in zip(supernet.cell_kinds, supernet.cells, strict=True):
        assert isinstance(cell, PlainCell)
        for (src, _), mixed_op in zip(supernet.space.edges, cell.mixed_ops, strict=True):
            assert isinstance(mixed_op, PlainMixedOp)
            halves = kind == "reduce" and src < 2
            for operation, candidate in zip(
                supernet.space.operations, mixed_op.candidates, strict=True
            ):
                if name == "drop_path" or (operation == SKIP and not halves):
                    candidate.register_forward_hook(hook)


@pytest.mark.parametrize("name", PERTURBATION_CLASSES)
def test_steps_of_a_perturbed_search_are_those_of_the_plain_one(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of("darts", perturbation=name, perturbation_strength=STRENGTH)
    fast, plain = states(config)
    if name == "alpha_noise":
        formula = plain_formula(name)

        def gates() -> dict[str, Tensor]:
            alphas = plain.supernet.alphas.items()
            return {kind: formula(alpha).softmax(dim=-1) for kind, alpha in alphas}

        monkeypatch.setattr(plain.supernet, "gates", gates)
    else:
        disturb(plain.supernet, name)
    patterned = type(name, (Patterned, PERTURBATION_CLASSES[name]), {})
    perturbation = patterned(STRENGTH, PROGRESS, generator("cpu", 0, "unused"))
    for train, val in zip(batches(8, 2), batches(8, 2, seed=1), strict=True):
        weight_metrics, arch_metrics = search_step(fast, train, val, config, perturbation)
        loss, _, _, validation = plain_step(plain, train, val, config)
        assert_same(weight_metrics[0], loss, "train_loss")
        assert_same(arch_metrics[0], validation, "arch_loss")
    for twin in twins(plain.supernet, fast.supernet):
        assert_same(twin.fast[twin.part], twin.plain, twin.name)
