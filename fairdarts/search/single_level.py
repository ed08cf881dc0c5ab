"""The single-level search: alphas and weights step together on the same images.

Fair DARTS, arXiv:1911.12126, supplementary Section 3.4 (experiment 7), compares it with the two
levels.
"""

from functools import partial

from torch import Tensor, nn

from fairdarts.config import SearchConfig
from fairdarts.data.stream import Batch
from fairdarts.search.objectives import WEIGHT_METRICS, alpha_objective
from fairdarts.search.state import SearchState
from fairdarts.supernet.perturbation import Perturbation
from fairdarts.training.gradients import accumulate


def step_both(
    state: SearchState, batch: Batch, config: SearchConfig, perturbation: Perturbation | None = None
) -> tuple[list[Tensor], list[Tensor]]:
    """One step of alphas and weights on the same images: the loss of Eq. 8 for both.

    Returns:
        `WEIGHT_METRICS` and `ARCH_METRICS`, scalars on the device; weights and alphas of `state`
        are changed in place.
    """
    objective = partial(alpha_objective, state, config, perturbation)
    state.alpha_optimizer.zero_grad()
    state.weight_optimizer.zero_grad()
    metrics = accumulate(objective, batch, config.micro_batches)
    nn.utils.clip_grad_norm_(state.supernet.weight_parameters(), config.grad_clip)
    state.alpha_optimizer.step()
    state.weight_optimizer.step()
    # Both groups of metrics begin with the loss and the accuracy on the same images.
    return metrics[: len(WEIGHT_METRICS)], metrics
