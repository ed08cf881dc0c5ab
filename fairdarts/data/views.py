"""From one stored image to its view: the tensor that goes into a batch.

Every random choice is drawn from torch's default generator on the CPU.
"""

from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from fairdarts.data.augment import Augmentation
from fairdarts.data.images import Channels

View = Callable[[Image.Image], Tensor]
"""RGB image of any size to uint8, (3, H, W), H = W."""
MAX_ASPECT = 64
"""Largest ratio of the long side to the short one. Of a longer image the ends are cut off before it
is resized: otherwise an image one pixel high would fill the memory."""
TEST_SHARE = 0.875
"""Side of the centre crop as a share of the short side of the resized image: 224 of 256."""


def training_view(size: int, how: Augmentation, mean: Channels) -> View:
    """A random part of the image, augmented.

    Args:
        size: H.
        how: What to do; `crop_padding` does not matter.
        mean: Colour of the square that cutout leaves, in 0..1.
    Source:
        Inception's crop (arXiv:1409.4842), as DARTS uses it on ImageNet.
    """
    view: View = v2.Compose(
        [
            v2.RandomResizedCrop(size),
            *([v2.RandomHorizontalFlip()] if how.mirror else []),
            *([v2.ColorJitter(*how.color_jitter)] if how.color_jitter else []),
            *([v2.AutoAugment()] if how.auto_augment else []),
            v2.PILToTensor(),
            *([_Cutout(how.cutout, mean)] if how.cutout else []),
        ]
    )
    return view


def resized_side(size: int) -> int:
    """Pixels of the short side of an image before a centre of `size` pixels a side is cut out."""
    return round(size / TEST_SHARE)


def centre_view(size: int) -> View:
    """The centre of the image, `size` pixels a side."""
    resize = v2.Resize(resized_side(size))
    view: View = v2.Compose([_without_ends, resize, v2.CenterCrop(size), v2.PILToTensor()])
    return view


def _without_ends(image: Image.Image) -> Image.Image:
    longest = MAX_ASPECT * min(image.size)
    if max(image.size) <= longest:
        return image
    left, top = (max(0, (side - longest) // 2) for side in image.size)
    return image.crop((left, top, image.width - left, image.height - top))


class _Cutout:
    """Erase a square around a random pixel, clipped at the border."""

    def __init__(self, side: int, mean: Channels) -> None:
        self._side = side
        self._colour = torch.tensor(mean).mul(255).round().to(torch.uint8).view(3, 1, 1)

    def __call__(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        top, left = (int(torch.randint(end, ())) - self._side // 2 for end in (height, width))
        rows = slice(max(top, 0), top + self._side)
        image[:, rows, max(left, 0) : left + self._side] = self._colour
        return image
