import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from fairdarts.schedule import cosine, set_lr


def test_first_epoch_has_the_full_learning_rate() -> None:
    assert cosine(0, 50, 0.005, 0.001) == pytest.approx(0.005, rel=1e-12)
    assert cosine(0, 600, 0.025) == pytest.approx(0.025, rel=1e-12)


def test_halfway_the_learning_rate_is_the_mean_of_both_ends() -> None:
    assert cosine(25, 50, 0.005, 0.001) == pytest.approx(0.003, rel=1e-12)


def test_last_epoch_still_learns() -> None:
    # Only epoch 600, which is never trained, would have learning rate 0.
    assert cosine(599, 600, 0.025) == pytest.approx(1.7135e-7, rel=1e-4)
    assert cosine(600, 600, 0.025) == 0.0
    assert cosine(49, 50, 0.005, 0.001) > 0.001
    assert cosine(50, 50, 0.005, 0.001) == 0.001


@pytest.mark.parametrize(("start", "end"), [(0.005, 0.001), (0.025, 0.0)])
def test_schedule_is_that_of_torch_stepped_after_each_epoch(start: float, end: float) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=start)
    scheduler = CosineAnnealingLR(optimizer, T_max=7, eta_min=end)
    for epoch in range(7):
        lr = optimizer.param_groups[0]["lr"]
        assert cosine(epoch, 7, start, end) == pytest.approx(lr, rel=1e-9)
        optimizer.step()
        scheduler.step()


def test_set_lr_reaches_every_group() -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (1.0, 2.0)]
    optimizer = torch.optim.SGD(groups, lr=3.0)
    set_lr(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
