"""A search step recorded as a CUDA graph: one launch in place of thousands."""

from collections.abc import Callable

import torch
from torch import Tensor

from fairdarts.data.stream import Batch

Step = Callable[[Batch, Batch], tuple[list[Tensor], list[Tensor]]]
NUM_EAGER_STEPS = 3
"""Steps before recording: libraries choose kernels and allocate workspaces in them."""


class CapturedStep:
    """Record a step when its batches have come often enough in one shape, then replay it.

    What the step reads from Python is fixed when it is recorded, learning rates above all: make a
    new one for every epoch.
    """

    def __init__(self, step: Step) -> None:
        """Keep the step; it must be free of host reads, and its optimisers capturable."""
        self._step = step
        self._num_eager = 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, train: Batch, val: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """The step's metrics, valid until the next call."""
        if self._graph is not None and self._same_shapes(train, val):
            for recorded, given in zip(self._inputs, (*train, *val), strict=True):
                recorded.copy_(given)
            self._graph.replay()
            return self._metrics
        metrics = self._step(train, val)
        self._num_eager += 1
        if self._graph is None and self._num_eager == NUM_EAGER_STEPS:
            self._record(train, val)
        return metrics

    def _same_shapes(self, train: Batch, val: Batch) -> bool:
        given = (*train, *val)
        return all(a.shape == b.shape for a, b in zip(self._inputs, given, strict=True))

    def _record(self, train: Batch, val: Batch) -> None:
        self._inputs = [tensor.clone() for tensor in (*train, *val)]
        images, labels, val_images, val_labels = self._inputs
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._metrics = self._step((images, labels), (val_images, val_labels))
