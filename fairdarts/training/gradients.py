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
    """Compute no gradient of these parameters inside the block."""
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

    Each counts by its share of the images, so that the sum is the gradient of the whole batch; but
    batch norm normalises each by its own statistics, and updates running ones once for each.

    Args:
        loss: Of any part of the batch.
        batch: Split as evenly as can be.
        micro_batches: How many parts; fewer if any of them would have only one image.
    Returns:
        The metrics of the whole batch.
    """
    images, labels = batch
    num_parts = max(1, min(micro_batches, len(labels) // 2))
    shares: list[list[Tensor]] = []
    for part in zip(images.tensor_split(num_parts), labels.tensor_split(num_parts), strict=True):
        share = len(part[1]) / len(labels)
        mean, metrics = loss(part)
        torch.autograd.backward(share * mean)
        shares.append([share * metric for metric in metrics])
    return [torch.stack(of_metric).sum() for of_metric in zip(*shares, strict=True)]
