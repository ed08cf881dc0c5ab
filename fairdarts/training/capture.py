"""A search step recorded as a CUDA graph: one launch instead of thousands."""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor

from fairdarts.data.stream import Batch

Step = Callable[[Batch, Batch], tuple[list[Tensor], list[Tensor]]]
NUM_EAGER_STEPS = 3
"""Steps of a shape before it is recorded; in them libraries choose kernels and workspaces."""


class CapturedStep:
    """A step that is recorded when a shape of its batches has come often enough, then replayed.

    A recording keeps the values that the step read from Python, above all the learning rates: make
    a new object for every epoch.
    """

    def __init__(self, step: Step) -> None:
        """Keep a step that reads nothing back to the host, and whose optimisers are capturable."""
        self._step = step
        self._num_eager: Counter[tuple[torch.Size, ...]] = Counter()
        self._graph: torch.cuda.CUDAGraph | None = None
        # Autograd remembers the stream that a parameter was first used on, and refuses to record
        # on another: all steps run on one of our own.
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def __call__(self, train: Batch, val: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Take the step; the next call overwrites the metrics that are returned."""
        batches = (*train, *val)
        shapes = tuple(tensor.shape for tensor in batches)
        if self._graph is not None and shapes == self._shapes:
            for recorded, given in zip(self._inputs, batches, strict=True):
                recorded.copy_(given)
            self._graph.replay()
            return self._metrics
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            metrics = self._step(train, val)
        torch.cuda.current_stream().wait_stream(self._stream)
        self._num_eager[shapes] += 1
        if self._graph is None and self._num_eager[shapes] == NUM_EAGER_STEPS:
            self._record(train, val)
        return metrics

    def _record(self, train: Batch, val: Batch) -> None:
        self._inputs = [tensor.clone() for tensor in (*train, *val)]
        self._shapes = tuple(tensor.shape for tensor in self._inputs)
        images, labels, val_images, val_labels = self._inputs
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._metrics = self._step((images, labels), (val_images, val_labels))
