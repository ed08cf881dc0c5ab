import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import functional as pil

from fairdarts.data.augment import Augmentation, Draws, apply, augment, draw, normalise

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
SIZE = 12


def images(count: int = 16) -> Tensor:
    shape = (count, 3, SIZE, SIZE)
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(7))


def one_by_one(batch: Tensor, how: Augmentation, draws: Draws) -> Tensor:
    """The recipe as one would write it for a single image."""
    results = []
    for i, image in enumerate(batch):
        pad = how.crop_padding
        padded = torch.zeros(3, SIZE + 2 * pad, SIZE + 2 * pad, dtype=torch.uint8)
        padded[:, pad : pad + SIZE, pad : pad + SIZE] = image
        top, left = int(draws.top[i]), int(draws.left[i])
        window = padded[:, top : top + SIZE, left : left + SIZE]
        if how.mirror and bool(draws.mirrored[i]):
            window = window.flip(-1)
        result = torch.empty(3, SIZE, SIZE)
        for channel in range(3):
            result[channel] = (window[channel].float() / 255 - MEAN[channel]) / STD[channel]
        y, x = int(draws.centre_y[i]) - how.cutout // 2, int(draws.centre_x[i]) - how.cutout // 2
        result[:, max(y, 0) : y + how.cutout, max(x, 0) : x + how.cutout] = 0
        results.append(result)
    return torch.stack(results)


@pytest.mark.parametrize(
    "how",
    [
        Augmentation(),
        Augmentation(cutout=6),
        Augmentation(crop_padding=0, mirror=False, cutout=5),
        Augmentation(crop_padding=2, mirror=False),
        Augmentation(crop_padding=0),
        Augmentation(cutout=1),
        Augmentation(cutout=2 * SIZE),
    ],
)
def test_a_batch_equals_its_images_augmented_one_by_one(how: Augmentation) -> None:
    batch = images()
    draws = draw(batch, how, torch.Generator().manual_seed(3))
    assert torch.allclose(
        apply(batch, how, draws, MEAN, STD), one_by_one(batch, how, draws), rtol=0, atol=1e-6
    )


def test_a_batch_equals_pil_and_torchvision_by_the_same_draws() -> None:
    batch, how = images(), Augmentation(cutout=6)
    draws = draw(batch, how, torch.Generator().manual_seed(3))
    augmented = apply(batch, how, draws, MEAN, STD)
    for i, image in enumerate(batch):
        window = pil.pad(Image.fromarray(image.permute(1, 2, 0).numpy()), [how.crop_padding])
        window = pil.crop(window, int(draws.top[i]), int(draws.left[i]), SIZE, SIZE)
        if draws.mirrored[i]:
            window = pil.hflip(window)
        expected = pil.normalize(pil.to_tensor(window), MEAN, STD)
        y, x = int(draws.centre_y[i]) - 3, int(draws.centre_x[i]) - 3
        expected[:, max(y, 0) : y + 6, max(x, 0) : x + 6] = 0
        assert torch.allclose(augmented[i], expected, rtol=0, atol=1e-6)


def test_augment_applies_the_draws_of_its_generator() -> None:
    how = Augmentation(cutout=4)
    draws = draw(images(), how, torch.Generator().manual_seed(5))
    result = augment(images(), how, MEAN, STD, torch.Generator().manual_seed(5))
    assert torch.equal(result, apply(images(), how, draws, MEAN, STD))


def test_draws_reach_both_ends_of_their_range() -> None:
    draws = draw(images(2000), Augmentation(crop_padding=4), torch.Generator().manual_seed(0))
    for offset in (draws.top, draws.left):
        assert (int(offset.min()), int(offset.max())) == (0, 8)
    for centre in (draws.centre_y, draws.centre_x):
        assert (int(centre.min()), int(centre.max())) == (0, SIZE - 1)
    assert 0.45 < draws.mirrored.float().mean() < 0.55


def test_switching_cutout_on_leaves_the_other_draws_as_they_were() -> None:
    plain = draw(images(), Augmentation(), torch.Generator().manual_seed(1))
    erased = draw(images(), Augmentation(cutout=4), torch.Generator().manual_seed(1))
    assert torch.equal(plain.top, erased.top)
    assert torch.equal(plain.mirrored, erased.mirrored)


def test_no_augmentation_is_normalising_alone() -> None:
    nothing = Augmentation(crop_padding=0, mirror=False, cutout=0)
    result = augment(images(), nothing, MEAN, STD, torch.Generator())
    assert torch.equal(result, normalise(images(), MEAN, STD))


def test_the_source_images_are_left_as_they_were() -> None:
    batch = images()
    augment(batch, Augmentation(cutout=4), MEAN, STD, torch.Generator())
    assert torch.equal(batch, images())


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_normalising_leaves_the_images_as_they_are(dtype: torch.dtype) -> None:
    batch = images().to(dtype)
    before = batch.clone()
    normalise(batch, MEAN, STD)
    assert torch.equal(batch, before)
