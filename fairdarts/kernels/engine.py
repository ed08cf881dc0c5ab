"""When a GPU computes mixed operations with kernels of our own, and when with torch's.

`fairdarts.supernet.mixed_ops` asks; what is not served here, torch computes.
"""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from fairdarts.kernels.candidates import CONVOLUTIONS, IDENTITY, POOLS

CHANNELS = (16, 32, 64, 128)
"""Of an edge: products of tiles want 16 or more, a power of two; those of 256 would not fit."""
DTYPES = (torch.float32, torch.bfloat16, torch.float64)
LEAST_CAPABILITY = (8, 0)
"""CUDA's number of the first GPUs with bfloat16 (A100); the kernels are compiled for no others."""

HAS_TRITON = importlib.util.find_spec("triton") is not None
"""Triton comes with torch's CUDA wheels for Linux, and with no others."""
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether Triton runs its kernels line by line on the CPU, as tests do without a GPU."""

# Not a context variable: what is recomputed is so in autograd's own threads.
_twice = False


@contextmanager
def differentiable_twice() -> Iterator[None]:
    """Inside, torch computes everything: the kernels have first gradients only."""
    global _twice
    before, _twice = _twice, True
    try:
        yield
    finally:
        _twice = before


def autocast_type(x: Tensor) -> torch.dtype:
    """The type that products of these features are computed in; `meta` knows no autocast."""
    if not x.is_meta and torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


def serves_products(x: Tensor) -> bool:
    """Whether grouped 1x1 convolutions of these features are to be batched products.

    `meta` counts as a GPU: on it, memory and launches of a GPU are counted.
    """
    is_gpu = x.device.type in ("cuda", "meta") or INTERPRETED
    return is_gpu and not _twice and x.is_contiguous(memory_format=torch.channels_last)


def serves_kernels(x: Tensor, operations: Sequence[str], num_edges: int, stride: int) -> bool:
    """Whether these operations on the features (B, C, H, W) of a node are to be Triton's kernels.

    Args:
        x: The features, which `num_edges` edges read.
        operations: Candidates of an edge.
        num_edges: E.
        stride: Of all of them.
    """
    if {*operations} - {IDENTITY} != {*CONVOLUTIONS, *POOLS}:
        return False
    if not HAS_TRITON or not serves_products(x) or x.dtype not in DTYPES:
        return False
    if x.device.type == "cuda" and (
        torch.version.cuda is None or torch.cuda.get_device_capability(x.device) < LEAST_CAPABILITY
    ):
        return False
    batch, channels, height, width = x.shape
    pixels_out = batch * -(-height // stride) * -(-width // stride)
    # Batch norm needs two values; offsets into the features of an edge are 32 bits.
    return channels in CHANNELS and pixels_out > 1 and num_edges * x.numel() < 2**31
