"""Batches of images in memory. A batch is a function of its number: no position has to be saved.

Shapes: B images, H = W pixels a side.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from fairdarts.data.augment import Augmentation, augment, normalise
from fairdarts.data.images import ImageSet
from fairdarts.errors import DataError
from fairdarts.seeding import generator

Batch = tuple[Tensor, Tensor]
"""Images, float32, (B, 3, H, W), and their labels, int64, (B,)."""


class BatchStream:
    """An endless stream of shuffled, augmented batches, without replacement within a pass."""

    def __init__(
        self,
        data: ImageSet,
        batch_size: int,
        seed: int,
        name: str,
        augmentation: Augmentation,
        channels_last: bool,
    ) -> None:
        """Prepare the stream; nothing is drawn yet.

        Args:
            data: The images, on the device the batches are wanted on.
            batch_size: B; the last batch of a pass holds what is left.
            seed: Seed of the trial.
            name: Tells the streams of a trial apart.
            augmentation: What is done to the images.
            channels_last: Memory format of the batches.

        Raises:
            DataError: If there are fewer than two images: batch norm needs two.
        """
        self._num_batches = batches_in_a_pass(len(data), batch_size, name)
        self._data = data
        self._batch_size = batch_size
        self._seed = seed
        self._name = name
        self._augmentation = augmentation
        self._memory_format = memory_format(channels_last)
        self._pass_of_order = -1
        self._order = torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        """Batches in one pass over the data."""
        return self._num_batches

    def batch(self, step: int) -> Batch:
        """Batch number `step` of the stream, the same whenever it is asked for."""
        number, position = divmod(step, len(self))
        start = position * self._batch_size
        chosen = self._order_of_pass(number)[start : start + self._batch_size]
        images = augment(
            self._data.images[chosen],
            self._augmentation,
            self._data.mean,
            self._data.std,
            generator(chosen.device, self._seed, self._name, "augment", number, position),
        )
        return images.contiguous(memory_format=self._memory_format), self._data.labels[chosen]

    def _order_of_pass(self, number: int) -> Tensor:
        if number != self._pass_of_order:
            # Drawn on the CPU, so that the order is the same on every device.
            chance = generator("cpu", self._seed, self._name, "order", number)
            order = torch.randperm(len(self._data), generator=chance)
            device = self._data.images.device
            if device.type == "cuda":  # pinned, the copy does not wait for the GPU
                order = order.pin_memory()
            self._order = order.to(device, non_blocking=True)
            self._pass_of_order = number
        return self._order


def evaluation_batches(data: ImageSet, batch_size: int, channels_last: bool) -> Iterator[Batch]:
    """Every image once, in order, only normalised; shapes as in `BatchStream.batch`."""
    layout = memory_format(channels_last)
    for start in range(0, len(data), batch_size):
        part = slice(start, start + batch_size)
        images = normalise(data.images[part], data.mean, data.std)
        yield images.contiguous(memory_format=layout), data.labels[part]


def batches_in_a_pass(num_images: int, batch_size: int, name: str) -> int:
    """Number of batches in one pass of the stream `name` over this many images.

    Raises:
        DataError: If there are fewer than two images: batch norm needs two.
    """
    if num_images < 2:
        raise DataError(f"A stream needs 2 images or more, but {name} has {num_images}.")
    num_full, rest = divmod(num_images, batch_size)
    # A last batch of one image is left out: batch norm cannot normalise a single value.
    return num_full + (rest > 1)


def memory_format(channels_last: bool) -> torch.memory_format:
    """The memory format of a batch."""
    return torch.channels_last if channels_last else torch.contiguous_format
