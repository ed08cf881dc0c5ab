"""The one door to the GPU: every kernel is launched here, and can be counted here.

Shapes, in all modules of the kernels: P pixels of all images (B * H * W), C channels of an edge,
E edges, CT = E * C stacked channels; features are rows of pixels, (P, C) or (P, CT). A program
computes a tile of pixels of one edge, or a block of them (see `rows`). Tiles are the last axis of a
grid: a GPU starts the programs of the first axis one after the other, so that those which read the
same features meet in its cache.

Triton compiles a kernel anew for each type, constant, number that is 1 and multiple of 16;
`do_not_specialize` keeps it from doing so for numbers that change nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from fairdarts.kernels.engine import TILE

NUM_WARPS = 4
"""Of a program: 16 features for each of its threads. What a thread has read serves all of them."""

Listener = Callable[["Launch"], None]
_listeners: list[Listener] = []


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel."""

    kernel: Any
    grid: tuple[int, ...]
    args: tuple[Any, ...]
    constants: dict[str, Any]
    num_warps: int

    @property
    def traffic_bytes(self) -> int:
        """Size of all tensors that are given: each is read or written once, or again from cache."""
        leaves = (leaf for arg in self.args for leaf in (arg if isinstance(arg, tuple) else (arg,)))
        return sum(leaf.nbytes for leaf in leaves if isinstance(leaf, Tensor))


@contextmanager
def launches(listener: Listener) -> Iterator[None]:
    """Inside, tell `listener` of every launch."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def launch(
    kernel: Any, grid: tuple[int, ...], *args: Any, num_warps: int = NUM_WARPS, **constants: Any
) -> None:
    """Run a kernel; on `meta` tensors, which have no values, only say that it would run.

    Args:
        kernel: A function of `triton.jit`.
        grid: Number of programs along each axis.
        args: Its arguments; the first is a tensor or a tuple of them.
        num_warps: Of a program.
        constants: Its constants by name.
    """
    for listener in _listeners:
        listener(Launch(kernel, grid, args, constants, num_warps))
    first = args[0][0] if isinstance(args[0], tuple) else args[0]
    if not first.is_meta:
        kernel[grid](*args, **constants, num_warps=num_warps)


def tile_pixels(channels: int) -> int:
    """Pixels of a tile."""
    return TILE // channels


def num_tiles(pixels: int, channels: int) -> int:
    """Tiles that hold all pixels; the last may be in part empty."""
    return -(-pixels // tile_pixels(channels))


def num_blocks(batch: int, height: int, width: int, channels: int) -> int:
    """Blocks of four rows that hold all pixels; see `fairdarts.kernels.rows`."""
    return -(-height // 4) * -(-batch * width // block_columns(channels))


def block_columns(channels: int) -> int:
    """Columns of a block, which has as many features as a tile."""
    return tile_pixels(channels) // 4


def sum_type(dtype: torch.dtype) -> Any:
    """Triton's type of sums over features of a type."""
    return tl.float64 if dtype == torch.float64 else tl.float32


def factor_type(dtype: torch.dtype) -> Any:
    """Triton's type of the factors of matrix products."""
    return tl.bfloat16 if dtype == torch.bfloat16 else sum_type(dtype)


def products_precision() -> str:
    """`tf32` inside `float32_products("tf32")`, otherwise `ieee`."""
    precision: str = torch.backends.cuda.matmul.fp32_precision
    return "tf32" if precision == "tf32" else "ieee"
