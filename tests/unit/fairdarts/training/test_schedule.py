import pytest
import torch
from timm.scheduler.scheduler import Scheduler
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from fairdarts.training.schedule import cosine, current_lr, exponential


def sgd(lr: float) -> torch.optim.SGD:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)


def rates(schedule: Scheduler, *epochs: int) -> list[float]:
    found = []
    for epoch in epochs:
        schedule.step(epoch)
        found.append(current_lr(schedule.optimizer))
    return found


def test_cosine_goes_from_the_full_rate_over_the_mean_to_one_above_the_end() -> None:
    first, half, last = rates(cosine(sgd(0.005), 50, 0.001), 0, 25, 49)
    assert (first, half) == pytest.approx((0.005, 0.003), rel=1e-12)
    assert last > 0.001
    # Only epoch 600, which is never trained, would have learning rate 0.
    assert rates(cosine(sgd(0.025), 600), 0, 599) == pytest.approx([0.025, 1.7135e-7], rel=1e-4)


@pytest.mark.parametrize(("start", "end"), [(0.005, 0.001), (0.025, 0.0)])
def test_cosine_is_that_of_torch_stepped_after_each_epoch(start: float, end: float) -> None:
    optimizer = sgd(start)
    scheduler = CosineAnnealingLR(optimizer, T_max=7, eta_min=end)
    expected = []
    for _ in range(7):
        expected.append(current_lr(optimizer))
        optimizer.step()
        scheduler.step()
    assert rates(cosine(sgd(start), 7, end), *range(7)) == pytest.approx(expected, rel=1e-9)


def test_exponential_falls_by_three_percent_at_every_whole_period() -> None:
    found = rates(exponential(sgd(0.1), 1.0), 0, 1, 249)
    assert found == pytest.approx([0.1, 0.097, 0.1 * 0.97**249], rel=1e-12)
    found = rates(exponential(sgd(1.0), 2.4), *range(6))
    assert found == pytest.approx([1, 1, 1, 0.97, 0.97, 0.97**2], rel=1e-12)


def test_warmup_grows_linearly_to_the_full_rate_from_one_that_learns() -> None:
    found = rates(exponential(sgd(0.6), 1.0, warmup_epochs=2), *range(4))
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.6 * 0.97], rel=1e-12)
    found = rates(cosine(sgd(0.6), 4, warmup_epochs=2), *range(4))
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.3], rel=1e-12)


def test_rate_of_an_epoch_does_not_depend_on_the_epochs_before() -> None:
    assert rates(cosine(sgd(1.0), 9), 5) == rates(cosine(sgd(1.0), 9), *range(6))[-1:]


def test_one_epoch_has_the_full_rate_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert rates(cosine(sgd(1.0), 1), 0) == [1.0]
    assert not caplog.records


def test_every_group_gets_the_rate() -> None:
    groups = [{"params": [nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    cosine(optimizer, 2).step(1)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]
