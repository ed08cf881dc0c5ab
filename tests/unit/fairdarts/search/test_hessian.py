import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fairdarts.config import SearchConfig
from fairdarts.search.hessian import largest_eigenvalue
from fairdarts.search.state import build_supernet


@pytest.mark.slow  # the dense Hessian takes 392 gradients
@pytest.mark.parametrize("relaxation", ["sigmoid", "softmax"])
def test_largest_eigenvalue_is_that_of_the_dense_hessian(relaxation: str) -> None:
    torch.manual_seed(0)
    config = SearchConfig.build(
        {"init_channels": 2, "num_cells": 3, "alpha_init_std": 1.0, "relaxation": relaxation}
    )
    supernet = build_supernet(config, num_classes=4).double()
    draw = torch.Generator().manual_seed(1)
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64, generator=draw)
    labels = torch.randint(4, (4,), generator=draw)
    statistics = {
        name: buffer.clone() for name, buffer in supernet.named_buffers() if "running" in name
    }
    actual = largest_eigenvalue(supernet, (images, labels))
    now = dict(supernet.named_buffers())
    assert all(torch.equal(now[name], before) for name, before in statistics.items())

    alphas = supernet.architecture_parameters()

    def slope() -> Tensor:
        loss = F.cross_entropy(supernet(images, supernet.gates()), labels)
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, alphas)])

    step, rows = 1e-5, []
    for alpha in alphas:
        for entry in alpha.detach().view(-1).unbind():  # views: changed in place
            entry += step
            above = slope()
            entry -= 2 * step
            rows.append((above - slope()) / (2 * step))
            entry += step
    hessian = torch.stack(rows)
    assert hessian.shape == (196, 196)
    expected = torch.linalg.eigvalsh((hessian + hessian.T) / 2).max().item()
    assert actual == pytest.approx(expected, rel=1e-3)
