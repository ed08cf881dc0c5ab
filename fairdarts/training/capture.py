"""A training step recorded as a CUDA graph: one launch instead of thousands."""

from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

from fairdarts.data.stream import Batch

Step = Callable[[Batch, Batch], tuple[list[Tensor], list[Tensor]]]
"""A step of a search."""
Metrics = TypeVar("Metrics")
"""What a step returns: tensors on the device."""
NUM_EAGER_STEPS = 3
"""Steps of a shape before it is recorded; in them libraries choose kernels and workspaces."""


class CapturedStep(Generic[Metrics]):
    """A step that is recorded when a shape of its batches has come often enough, then replayed.

    A recording keeps the values that the step read from Python, above all the learning rates: make
    a new object for every epoch.
    """

    def __init__(self, step: Callable[..., Metrics]) -> None:
        """Keep a step on some batches that reads nothing back to the host.

        Its optimisers must count their steps on the device, if they count them (`capturable`).
        """
        self._step = step
        self._num_eager: Counter[tuple[torch.Size, ...]] = Counter()
        self._graph: torch.cuda.CUDAGraph | None = None
        # Autograd remembers the stream that a parameter was first used on, and refuses to record
        # on another: all steps run on one of our own.
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def __call__(self, *batches: Batch) -> Metrics:
        """Take the step; the next call overwrites the metrics that are returned."""
        tensors = [tensor for batch in batches for tensor in batch]
        shapes = tuple(tensor.shape for tensor in tensors)
        if self._graph is not None and shapes == self._shapes:
            for recorded, given in zip(self._inputs, tensors, strict=True):
                recorded.copy_(given)
            self._graph.replay()
            return self._metrics
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            metrics = self._step(*batches)
        torch.cuda.current_stream().wait_stream(self._stream)
        self._num_eager[shapes] += 1
        if self._graph is None and self._num_eager[shapes] == NUM_EAGER_STEPS:
            self._record(batches)
        return metrics

    def _record(self, batches: tuple[Batch, ...]) -> None:
        # `clone` keeps the memory format.
        own = [(images.clone(), labels.clone()) for images, labels in batches]
        self._inputs = [tensor for batch in own for tensor in batch]
        self._shapes = tuple(tensor.shape for tensor in self._inputs)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._metrics = self._step(*own)
