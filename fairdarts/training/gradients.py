"""Gradients of a part of the parameters, or of a batch that does not fit in memory at once."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fairdarts.data.stream import Batch

Loss = Callable[[Batch], tuple[Tensor, list[Tensor]]]
"""Images and labels to their mean loss, and to metrics that are means as well."""


@contextmanager
def frozen(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Inside the block, compute no gradients of these parameters, which saves their cost."""
    parameters = list(parameters)
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def accumulate(loss: Loss, batch: Batch, micro_batches: int) -> list[Tensor]:
    """Add the gradients of the mean loss over a batch, computed one micro-batch at a time.

    Each micro-batch counts by its share of the images, so the sum is the gradient of the whole
    batch. But batch norm normalises each by its own statistics, and updates the running ones each
    time.

    Args:
        loss: Computes the loss and the metrics of any part of the batch.
        batch: Images and labels, which are split as evenly as possible.
        micro_batches: Number of parts; fewer if a part would have only one image.
    Returns:
        The metrics of the whole batch. The gradients (`grad`) of the parameters are changed in
        place.
    """
    images, labels = batch
    # Two images at least in each part: batch norm cannot take one.
    num_parts = max(1, min(micro_batches, len(labels) // 2))
    shares: list[list[Tensor]] = []
    for part in zip(images.tensor_split(num_parts), labels.tensor_split(num_parts), strict=True):
        share = len(part[1]) / len(labels)
        mean, metrics = loss(part)
        torch.autograd.backward(share * mean)
        shares.append([share * metric for metric in metrics])
    return [torch.stack(of_metric).sum() for of_metric in zip(*shares, strict=True)]
