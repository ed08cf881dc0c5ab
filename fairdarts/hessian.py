"""The largest eigenvalue of the Hessian of the validation loss in the architecture parameters."""

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch.nn import functional as F

from fairdarts.data.stream import Batch
from fairdarts.recompute import statistics_kept
from fairdarts.supernet import Supernet


def largest_eigenvalue(supernet: Supernet, batch: Batch) -> float:
    """By Lanczos' method with exact Hessian-vector products; weights and statistics stay.

    Args:
        supernet: In training mode, as it is searched.
        batch: Images and labels of the alphas' half.
    Source:
        RobustDARTS, arXiv:1909.09656, Section 4.1.
    """
    images, labels = batch
    alphas = supernet.architecture_parameters()
    sizes = [alpha.numel() for alpha in alphas]
    with statistics_kept(supernet):
        loss = F.cross_entropy(supernet(images, supernet.gates()), labels)
        slopes = torch.autograd.grad(loss, alphas, create_graph=True)
    flat = torch.cat([slope.flatten() for slope in slopes])

    def product(vector: np.ndarray) -> np.ndarray:
        direction = torch.from_numpy(np.asarray(vector)).to(flat)
        columns = torch.autograd.grad(flat @ direction.flatten(), alphas, retain_graph=True)
        return torch.cat([column.flatten() for column in columns]).double().cpu().numpy()

    dimension = sum(sizes)
    hessian = LinearOperator((dimension, dimension), matvec=product, dtype=np.float64)
    start = np.ones(dimension)  # not drawn: the same result again
    (largest,) = eigsh(hessian, k=1, which="LA", v0=start, tol=1e-3, return_eigenvectors=False)
    return float(largest)
