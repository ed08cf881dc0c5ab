import pytest
import torch
from torch import Tensor

from fairdarts.spaces import S1, S1_NO_SKIP
from fairdarts.supernet.mixed_ops import MixedOps
from fairdarts.supernet.perturbation import PERTURBATION_CLASSES, Perturbation

SKIP_COLUMN = 2


def random(*shape: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=draw)


def chance(seed: int = 7) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mixed(
    perturbation: Perturbation | None, stride: int = 1, only: int | None = None
) -> list[Tensor]:
    torch.manual_seed(0)
    module = MixedOps(S1, channels=4, num_edges=3, stride=stride).double()
    gates = random(3, 7, seed=1)
    if only is not None:
        gates[:, [column for column in range(7) if column != only]] = 0
    return list(module(random(2, 4, 8, 8), gates, perturbation))


class Touch(Perturbation):
    """Goes the way of the disturbed features and leaves them as they are."""

    def touches(self, operation: str, stride: int) -> bool:
        return True


@pytest.mark.parametrize("stride", [1, 2])
def test_the_way_of_disturbed_features_leads_to_the_same_sums(stride: int) -> None:
    expected = mixed(None, stride)
    actual = mixed(Touch(1.0, 0.0, chance()), stride)
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("progress", "factor"), [(0.0, 1.0), (0.5, 0.5), (0.75, 0.1464466)])
def test_skip_noise_is_normal_on_each_edge_and_decays_as_a_cosine(
    progress: float, factor: float
) -> None:
    clean = mixed(None, only=SKIP_COLUMN)
    noisy = mixed(PERTURBATION_CLASSES["skip_noise"](2.0, progress, chance()), only=SKIP_COLUMN)
    noise = torch.zeros(2, 3, 4, 8, 8, dtype=torch.float64).normal_(generator=chance())
    gates = random(3, 7, seed=1)[:, SKIP_COLUMN]
    for edge in range(3):
        expected = clean[edge] + gates[edge] * 2.0 * factor * noise[:, edge]
        torch.testing.assert_close(noisy[edge], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["skip_noise", "skip_dropout"])
def test_only_skips_of_stride_1_are_disturbed(name: str) -> None:
    perturbation = PERTURBATION_CLASSES[name](0.5, 0.0, chance())
    assert [op for op in S1.operations if perturbation.touches(op, 1)] == ["skip_connect"]
    assert not any(perturbation.touches(op, 2) for op in S1.operations)
    assert not any(perturbation.touches(op, 1) for op in S1_NO_SKIP.operations)


def test_skip_dropout_drops_the_share_it_says_and_keeps_the_mean() -> None:
    features = torch.ones(8, 3, 4, 16, 16)
    dropped = PERTURBATION_CLASSES["skip_dropout"](0.6, 0.5, chance()).on_output(
        "skip_connect", features
    )
    assert (dropped == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert dropped.mean().item() == pytest.approx(1, abs=0.03)


def test_drop_path_drops_whole_images_of_an_edge_more_and_more() -> None:
    features = torch.ones(500, 3, 2, 2, 2)
    for progress in (0.0, 0.5, 0.9):
        dropped = PERTURBATION_CLASSES["drop_path"](0.6, progress, chance()).on_output(
            "any", features
        )
        by_image = dropped.flatten(2)
        assert torch.equal(by_image, by_image[:, :, :1].expand_as(by_image))
        share = (by_image[:, :, 0] == 0).float().mean().item()
        assert share == pytest.approx(0.6 * progress, abs=0.05)


def test_alpha_noise_moves_alphas_alone() -> None:
    perturbation = PERTURBATION_CLASSES["alpha_noise"](1.0, 0.0, chance())
    assert not any(perturbation.touches(op, stride) for op in S1.operations for stride in (1, 2))
    noise = torch.zeros(14, 7).normal_(generator=chance())
    assert torch.equal(perturbation.on_alphas(torch.zeros(14, 7)), noise)
