"""Random images in memory and random batches of four classes, for searches and retrainings."""

import torch

from fairdarts.data.images import ImageSet
from fairdarts.data.stream import Batch

NUM_CLASSES = 4


def random_images(count: int, size: int, seed: int = 1) -> ImageSet:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 3, size, size), dtype=torch.uint8, generator=draw)
    labels = torch.randint(NUM_CLASSES, (count,), generator=draw)
    return ImageSet(images, labels, ("a", "b", "c", "d"), (0.5,) * 3, (0.25,) * 3, mirror=True)


def random_batch(num: int, size: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randn(num, 3, size, size, dtype=dtype, generator=draw)
    return images, torch.randint(NUM_CLASSES, (num,), generator=draw)
