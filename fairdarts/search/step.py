"""One step of the search: the two levels of Fair DARTS and DARTS (Eq. 4 and 8)."""

from contextlib import nullcontext
from functools import partial

from torch import Tensor, nn

from fairdarts.config import SearchConfig
from fairdarts.data.stream import Batch
from fairdarts.kernels.engine import torch_only
from fairdarts.search.objectives import alpha_objective, weight_objective
from fairdarts.search.second_order import step_alphas_ahead
from fairdarts.search.single_level import step_both
from fairdarts.search.state import SearchState
from fairdarts.supernet.perturbation import Perturbation
from fairdarts.training.gradients import accumulate, frozen


def search_step(
    state: SearchState,
    train: Batch,
    val: Batch,
    config: SearchConfig,
    perturbation: Perturbation | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """One bi-level step: alphas on the held-out half, then weights on the training half.

    A single-level search has no halves: it steps both on `train`.

    Returns:
        Scalars on the device, in the order of `WEIGHT_METRICS` and of `ARCH_METRICS`; `state` is
        changed in place.
    """
    with torch_only() if config.kernels is False else nullcontext():
        if config.optimization == "single_level":
            return step_both(state, train, config, perturbation)
        if config.order == 2:
            arch_metrics = step_alphas_ahead(state, train, val, config, perturbation)
        else:
            arch_metrics = step_alphas(state, val, config, perturbation)  # upper level
        weight_metrics = step_weights(state, train, config, perturbation)  # lower level
        return weight_metrics, arch_metrics


def step_alphas(
    state: SearchState, val: Batch, config: SearchConfig, perturbation: Perturbation | None = None
) -> list[Tensor]:
    """Upper level: one Adam step on alpha for L_val + w L_{0-1} (Eq. 8); weights stay.

    Returns:
        `ARCH_METRICS`, scalars on the device; the alphas of `state` are changed in place.
    """
    objective = partial(alpha_objective, state, config, perturbation)
    state.alpha_optimizer.zero_grad()
    with frozen(state.supernet.weight_parameters()):
        metrics = accumulate(objective, val, config.micro_batches)
    state.alpha_optimizer.step()
    return metrics


def step_weights(
    state: SearchState, train: Batch, config: SearchConfig, perturbation: Perturbation | None = None
) -> list[Tensor]:
    """Lower level: one SGD step on the supernet weights for L_train (Eq. 4); alphas stay.

    Returns:
        `WEIGHT_METRICS`, scalars on the device; the weights of `state` are changed in place.
    """
    objective = partial(weight_objective, state, perturbation)
    state.weight_optimizer.zero_grad()
    with frozen(state.supernet.architecture_parameters()):
        metrics = accumulate(objective, train, config.micro_batches)
    nn.utils.clip_grad_norm_(state.supernet.weight_parameters(), config.grad_clip)
    state.weight_optimizer.step()
    return metrics
