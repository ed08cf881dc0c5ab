"""Batches of stored images, decoded and augmented by worker processes.

The parent process decides which images form a batch and which seed augments each of them, and gives
that to any free worker. So the batches do not depend on the number of workers.

Shapes: B images, H = W pixels a side.
"""

import multiprocessing
import os
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from multiprocessing.context import ForkServerContext
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fairdarts.data.augment import Augmentation, normalise
from fairdarts.data.images import StoredImages
from fairdarts.data.splits import Encoded
from fairdarts.data.stream import Batch, batches_in_a_pass, memory_format
from fairdarts.data.views import View, centre_view, training_view
from fairdarts.errors import DataError
from fairdarts.seeding import generator, mix_seed


class Task(NamedTuple):
    """One image for a worker."""

    encoded: Encoded
    label: int
    seed: int
    """Seed of its augmentation."""


class StoredStream:
    """Like `BatchStream`, for stored images; ask for the steps in ascending order.

    Any other step gives the right batch, too, but throws prefetched batches away.
    """

    def __init__(
        self,
        data: StoredImages,
        batch_size: int,
        seed: int,
        name: str,
        augmentation: Augmentation,
        channels_last: bool,
        device: torch.device,
        workers: int,
    ) -> None:
        """Prepare the stream; nothing is drawn, read or started yet.

        Args:
            data: The images.
            batch_size: B; the last batch of a pass holds what is left.
            seed: Seed of the trial.
            name: Tells the streams of a trial apart.
            augmentation: What is done to the images.
            channels_last: Memory format of the batches.
            device: Where the batches are wanted.
            workers: Processes that decode; 0: this process does.

        Raises:
            DataError: If there are fewer than two images: batch norm needs two.
        """
        self._passes = _Passes(data, batch_size, seed, name)
        view = training_view(data.image_size, augmentation, data.mean)
        decoder = _Decoder(view, data.skip_damaged, least=2)
        self._loader: DataLoader[Any] | None = _loader(decoder, self._passes, device, workers)
        self._delivery = _Delivery(data, channels_last, device)
        self._batches: Iterator[Decoded | DataError] = iter(())
        self._next_step: int | None = None

    def __len__(self) -> int:
        """Batches in one pass over the data."""
        return len(self._passes)

    def batch(self, step: int) -> Batch:
        """Batch number `step` of the stream, the same whenever it is asked for.

        Raises:
            DataError: If one of its images cannot be read, or one of a batch that is prefetched.
        """
        assert self._loader is not None, "the stream is closed"
        if step != self._next_step:
            self._passes.first_step = step
            self._batches = iter(self._loader)
        self._next_step = None
        batch = self._delivery.of(next(self._batches))
        self._next_step = step + 1
        return batch

    def close(self) -> None:
        """End the workers."""
        self._batches = iter(())
        self._loader = None


def stored_batches(
    data: StoredImages, batch_size: int, channels_last: bool, device: torch.device, workers: int
) -> Iterator[Batch]:
    """The centre of every image once, in order, normalised; arguments as in `StoredStream`.

    Raises:
        DataError: If an image cannot be read.
    """
    labels = data.labels.tolist()
    encoded = data.split.encoded(data.indices)
    tasks = (Task(*pair, seed=0) for pair in zip(encoded, labels, strict=True))
    # Lists of `batch_size` tasks, until none is left.
    batches = iter(lambda: list(islice(tasks, batch_size)), [])
    delivery = _Delivery(data, channels_last, device)
    decoder = _Decoder(centre_view(data.image_size), data.skip_damaged, least=0)
    num_images = 0
    for decoded in _loader(decoder, batches, device, workers, once=True):
        batch = delivery.of(decoded)
        if num_here := len(batch[1]):  # Otherwise all of its images were damaged.
            num_images += num_here
            yield batch
    if not num_images:
        raise DataError(f"none of the {len(data)} images of a split can be decoded.")


class _Passes:
    """The tasks of batch after batch, without end; a batch is a function of its number."""

    def __init__(self, data: StoredImages, batch_size: int, seed: int, name: str) -> None:
        self.first_step = 0
        """Where the next iteration starts."""
        self._num_batches = batches_in_a_pass(len(data), batch_size, name)
        self._data = data
        self._batch_size = batch_size
        self._parts = (seed, name)

    def __len__(self) -> int:
        return self._num_batches

    def __iter__(self) -> Iterator[list[Task]]:
        number, position = divmod(self.first_step, len(self))
        while True:
            yield from self._rest_of_pass(number, position)
            number, position = number + 1, 0

    def _rest_of_pass(self, number: int, position: int) -> Iterator[list[Task]]:
        split, size = self._data.split, self._batch_size
        chance = generator("cpu", *self._parts, "order", number)
        order = split.shuffled(self._data.indices, chance)[position * size : len(self) * size]
        encoded = split.encoded(order)
        for chosen in torch.split(order, size):
            yield [
                Task(image, label, mix_seed(*self._parts, "augment", number, index))
                for image, label, index in zip(
                    islice(encoded, len(chosen)),
                    split.labels[chosen].tolist(),
                    chosen.tolist(),
                    strict=True,
                )
            ]


class Decoded(NamedTuple):
    """What a worker returns for the tasks of a batch."""

    images: Tensor
    """uint8, (B, 3, H, W)."""
    labels: Tensor
    """int64, (B,)."""
    left_out: tuple[str, ...]
    """A sentence about each image that could not be decoded."""


class _Decoder(Dataset[Any]):
    """What a worker does. Its "indices" are tasks, so it does not need the data set."""

    def __init__(self, view: View, skip_damaged: bool, least: int) -> None:
        self._view = view
        self._skip_damaged = skip_damaged
        self._least = least
        """Images that a batch must have: batch norm needs two to train."""

    def __getitems__(self, tasks: list[Task]) -> Decoded | DataError:
        """The batch, or a fault: if raised here, it would reach the parent inside a traceback."""
        views, labels, left_out = [], [], []
        # This may be the process that trains: leave its random numbers alone.
        with torch.random.fork_rng(devices=()):
            for task in tasks:
                try:
                    views.append(self._view_of(task))
                    labels.append(task.label)
                except DataError as error:
                    left_out.append(str(error))
                    if not self._skip_damaged:
                        return error
        if self._least and not views:
            return DataError(
                f"none of the {len(tasks)} images of a batch can be decoded, such as: {left_out[0]}"
            )
        while len(views) < self._least:  # A last batch of two images, one of them damaged.
            views, labels = views * 2, labels * 2
        images = torch.stack(views) if views else torch.empty(0, 3, 1, 1, dtype=torch.uint8)
        return Decoded(images, torch.tensor(labels, dtype=torch.int64), tuple(left_out))

    def _view_of(self, task: Task) -> Tensor:
        torch.default_generator.manual_seed(task.seed)
        return self._view(task.encoded.image())


class _Delivery:
    """Moves what a worker returned to the device and makes it float32."""

    def __init__(self, data: StoredImages, channels_last: bool, device: torch.device) -> None:
        self._data = data
        self._memory_format = memory_format(channels_last)
        self._device = device

    def of(self, decoded: Decoded | DataError) -> Batch:
        if isinstance(decoded, DataError):
            raise decoded
        for sentence in decoded.left_out:
            self._data.on_damaged(sentence)
        # From pinned memory these copies do not wait for a GPU; bytes take a quarter of floats.
        images = decoded.images.to(self._device, non_blocking=True)
        labels = decoded.labels.to(self._device, non_blocking=True)
        normal = normalise(images, self._data.mean, self._data.std)
        return normal.contiguous(memory_format=self._memory_format), labels


def _loader(
    decoder: _Decoder,
    batches: Iterable[list[Task]],
    device: torch.device,
    workers: int,
    once: bool = False,
) -> DataLoader[Any]:
    return DataLoader(
        decoder,
        batch_sampler=batches,
        collate_fn=_as_it_is,
        num_workers=workers,
        multiprocessing_context=_context() if workers else None,
        worker_init_fn=_end_with_parent,
        persistent_workers=workers > 0 and not once,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # Else each start would use up random numbers of the trial.
    )


def _as_it_is(batch: Any) -> Any:
    return batch


def _context() -> ForkServerContext:
    # Not fork: threads of Ray, Arrow and OpenMP may hold locks, which would stay locked in the
    # child for ever. Not spawn: each worker would import torch for itself, which takes seconds and
    # memory. A fork server has no other threads, imports torch once, and its workers share that.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _end_with_parent(worker: int) -> None:
    """End this worker as soon as the process that it works for has ended, for whatever reason.

    The loader's own watchdog checks the parent in the process table. That is the fork server, which
    lives as long as its children.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
