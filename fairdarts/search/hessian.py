"""The largest eigenvalue of the Hessian of the validation loss in the architecture parameters."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from fairdarts.data.stream import Batch
from fairdarts.kernels.engine import torch_only
from fairdarts.supernet.base import Supernet
from fairdarts.training.gradients import frozen
from fairdarts.training.recompute import StatisticsKept


def largest_eigenvalue(supernet: Supernet, batch: Batch) -> float:
    """Find it by Lanczos' method with exact Hessian-vector products.

    Weights, alphas and running statistics stay as they are.

    Args:
        supernet: In training mode, as in the search.
        batch: Images and labels of the alphas' half.
    Returns:
        The eigenvalue; NaN if the search has diverged or the method does not converge.
    Source:
        RobustDARTS, arXiv:1909.09656, Section 4.1.
    """
    # Here, so that a search by another rule does without SciPy.
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    images, labels = batch
    alphas = supernet.architecture_parameters()
    weights = supernet.weight_parameters()
    with frozen(weights), StatisticsKept(supernet), torch_only():
        loss = F.cross_entropy(supernet(images, supernet.gates()), labels)
        slopes = torch.autograd.grad(loss, alphas, create_graph=True)
        flat = torch.cat([slope.flatten() for slope in slopes])
        if not flat.isfinite().all():
            return math.nan

        # The Hessian is not built: its product with a vector is the gradient of slopes @ vector.
        def product(vector: np.ndarray) -> np.ndarray:
            direction = torch.from_numpy(np.asarray(vector)).to(flat).flatten()
            columns = torch.autograd.grad(flat @ direction, alphas, retain_graph=True)
            return torch.cat([column.flatten() for column in columns]).double().cpu().numpy()

        hessian = LinearOperator((len(flat), len(flat)), matvec=product, dtype=np.float64)
        # Always the same start, so that a resumed search measures the same. Not a constant one:
        # softmax gates do not change when a constant is added to all alphas.
        start = np.random.default_rng(0).standard_normal(len(flat))
        try:
            (largest,) = eigsh(
                hessian, k=1, which="LA", v0=start, tol=1e-3, return_eigenvectors=False
            )
        except ArpackNoConvergence:
            return math.nan
    return float(largest)
