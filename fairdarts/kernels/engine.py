"""When a GPU computes mixed operations with kernels of our own, and when with torch's.

`fairdarts.supernet.mixed_ops` asks; what is not served here, torch computes.
"""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from fairdarts.config import KERNEL_CHANNELS
from fairdarts.kernels.candidates import CONVOLUTIONS, IDENTITY, POOLS

DTYPES = (torch.float32, torch.bfloat16, torch.float64)
TILE = 2048
"""Features that a program computes; with twice as many, kernels spill registers."""
MOST_BLOCKS = 65_535
"""CUDA's limit of the last axis of a grid."""
LEAST_CAPABILITY = (8, 0)
"""CUDA's number of the first GPUs with bfloat16 (A100); the kernels are compiled for no others."""

HAS_TRITON = importlib.util.find_spec("triton") is not None
"""Triton comes with torch's CUDA wheels for Linux, and with no others."""
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
"""Whether Triton runs its kernels line by line on the CPU, as tests do without a GPU."""

# Not a context variable: what is recomputed is so in autograd's own threads.
_torch_only = False


@contextmanager
def torch_only() -> Iterator[None]:
    """Inside, torch computes everything: for second gradients, which the kernels do not have, and
    where the setting `search.kernels` is false."""
    global _torch_only
    before, _torch_only = _torch_only, True
    try:
        yield
    finally:
        _torch_only = before


def kernels_fault(device: torch.device) -> str | None:
    """Why a device cannot run our kernels; None if it can."""
    if not HAS_TRITON:
        return "Triton is missing, which comes with torch for CUDA on Linux alone"
    if device.type == "cuda":
        if torch.version.cuda is None:
            return "this GPU is none of NVIDIA's"
        if torch.cuda.get_device_capability(device) < LEAST_CAPABILITY:
            return "this GPU's compute capability is less than 8.0"
    elif device.type == "cpu" and not INTERPRETED:
        return "the device is a CPU"
    return None


def autocast_type(x: Tensor) -> torch.dtype:
    """The type that products of these features are computed in; `meta` knows no autocast."""
    if not x.is_meta and torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


def channels_last(x: Tensor) -> Tensor:
    """Features (B, C, H, W) as rows of pixels, copied where they are not; see `serves_products`."""
    if x.is_meta:  # all that is known there is whether there are gaps between them
        return x.contiguous() if x.untyped_storage().nbytes() > x.nbytes else x
    return x.contiguous(memory_format=torch.channels_last)


def serves_products(x: Tensor) -> bool:
    """Whether grouped 1x1 convolutions of these features are to be batched products.

    `meta` counts as a GPU: on it, memory and launches of a GPU are counted. There convolutions
    forget that their input is channels last, so who counts NCHW says `torch_only`.
    """
    if _torch_only:
        return False
    if x.is_meta:
        return True
    is_last = x.is_contiguous(memory_format=torch.channels_last)
    return is_last and (x.device.type == "cuda" or INTERPRETED)


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
    if not serves_products(x) or x.dtype not in DTYPES or kernels_fault(x.device) is not None:
        return False
    batch, channels, height, width = x.shape
    pixels_out = batch * -(-height // stride) * -(-width // stride)
    if channels not in KERNEL_CHANNELS or pixels_out < 2:  # batch norm needs two values
        return False
    blocks = -(-height // 4) * -(-batch * width * channels * 4 // TILE)  # of four rows
    # Offsets into the features of all edges are 32 bits.
    return num_edges * x.numel() < 2**31 and blocks <= MOST_BLOCKS
