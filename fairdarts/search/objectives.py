"""What each level of a search minimises on one batch, and what it measures there."""

from torch import Tensor
from torch.nn import functional as F

from fairdarts.config import SearchConfig
from fairdarts.data.stream import Batch
from fairdarts.search.loss import architecture_loss
from fairdarts.search.state import SearchState
from fairdarts.supernet.base import flat
from fairdarts.supernet.perturbation import Perturbation
from fairdarts.training.metrics import top1_pct

WEIGHT_METRICS = ("train_loss", "train_top1_pct")
ARCH_METRICS = ("arch_loss", "arch_top1_pct", "zero_one_loss")


def weight_objective(
    state: SearchState, perturbation: Perturbation | None, batch: Batch
) -> tuple[Tensor, list[Tensor]]:
    """L_train of Eq. 4 on one batch; and `WEIGHT_METRICS`, scalars on the device."""
    images, labels = batch
    logits = state.supernet(images, state.supernet.gates(perturbation), perturbation)
    # No zero-one loss here: it depends on the alphas alone, which this level leaves as they are.
    loss = F.cross_entropy(logits, labels)
    return loss, [loss.detach(), top1_pct(logits, labels)]


def alpha_objective(
    state: SearchState, config: SearchConfig, perturbation: Perturbation | None, batch: Batch
) -> tuple[Tensor, list[Tensor]]:
    """L_val + w L_{0-1} of Eq. 8 on one batch; and `ARCH_METRICS`, scalars on the device."""
    images, labels = batch
    gates = state.supernet.gates(perturbation)
    logits = state.supernet(images, gates, perturbation)
    total, loss, zero_one = architecture_loss(
        logits, labels, flat(gates), config.zero_one_weight, config.zero_one_form
    )
    return total, [loss.detach(), top1_pct(logits, labels), zero_one.detach()]
