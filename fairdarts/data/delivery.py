"""Batches of images, whether these are in memory or stored in files."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

import torch

from fairdarts.data.augment import Augmentation
from fairdarts.data.images import Images, ImageSet
from fairdarts.data.loader import StoredStream, stored_batches
from fairdarts.data.stream import Batch, BatchStream, evaluation_batches
from fairdarts.errors import ConfigError


class Stream(Protocol):
    """An endless stream of shuffled, augmented batches, without replacement within a pass."""

    def __len__(self) -> int:
        """Batches in one pass over the data."""

    def batch(self, step: int) -> Batch:
        """Batch number `step` of the stream, the same whenever it is asked for."""


@contextmanager
def open_stream(
    images: Images,
    *,
    batch_size: int,
    seed: int,
    name: str,
    augmentation: Augmentation,
    channels_last: bool,
    device: torch.device,
    workers: int = 0,
) -> Iterator[Stream]:
    """A stream of batches for the length of the block.

    Args:
        images: Images in memory are moved to the device as a whole.
        batch_size: Images in a batch; the last one of a pass holds what is left.
        seed: Seed of the trial.
        name: Tells the streams of a trial apart.
        augmentation: What is done to the images.
        channels_last: Memory format of the batches.
        device: Where the batches are wanted.
        workers: Processes that decode stored images; 0: this process does. With workers a script
            needs the usual `if __name__ == "__main__":`, because each of them imports it.
    Raises:
        ConfigError: If the augmentation is for stored images only.
        DataError: If there are fewer than two images.
    """
    if not isinstance(images, ImageSet):
        how = (augmentation, channels_last, device, workers)
        with closing(StoredStream(images, batch_size, seed, name, *how)) as stream:
            yield stream
        return
    if augmentation.color_jitter or augmentation.auto_augment:
        raise ConfigError(
            "color jitter and AutoAugment need data.augmentation = resized_crop: images in memory "
            "are only cropped and mirrored."
        )
    yield BatchStream(images.to(device), batch_size, seed, name, augmentation, channels_last)


def ordered_batches(
    images: Images,
    batch_size: int,
    *,
    channels_last: bool,
    device: torch.device,
    workers: int = 0,
) -> Iterator[Batch]:
    """Every image once, in order, not augmented; arguments as in `open_stream`.

    The short side of a stored image is resized to image_size / 0.875, and its centre is used.
    """
    if isinstance(images, ImageSet):
        return evaluation_batches(images.to(device), batch_size, channels_last)
    return stored_batches(images, batch_size, channels_last, device, workers)
