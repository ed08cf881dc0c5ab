"""Numbers and constants that all launches of a node share."""

from typing import Any

import torch
from torch import Tensor

from fairdarts.kernels.candidates import Candidates
from fairdarts.kernels.launch import (
    NUM_WARPS,
    block_columns,
    factor_type,
    num_blocks,
    num_tiles,
    products_precision,
    sum_type,
    tile_pixels,
)

FIRST_TAPS, SECOND_TAPS = 2 * (25 + 9), 25 + 9
"""Of the depthwise convolutions of the first and of the second stage."""
WARPS_OF_POOLS = 2 * NUM_WARPS
"""With fewer, each thread has too few registers for all that it reads of nine pixels."""
SUMMANDS = 4096
"""Partial sums that a program reads at once."""
MOST_CHUNKS = 128
"""Programs for each candidate, or column of its taps, that add up gradients of weights, each over
several tiles or blocks."""


class Sizes:
    """Of features (B, C, H, W), gates (E, O) and candidates; shapes as in `launch`."""

    def __init__(self, x: Tensor, gates: Tensor, candidates: Candidates) -> None:
        batch, self.channels, height, width = x.shape
        stride = candidates.stride
        self.edges = len(gates)
        self.stacked = self.edges * self.channels
        height_out, width_out = -(-height // stride), -(-width // stride)
        self.output = (batch, self.channels, height_out, width_out)
        self.pixels = batch * height * width
        self.pixels_out = batch * height_out * width_out
        self.columns, self.columns_out = batch * width, batch * width_out
        self.tiles = num_tiles(self.pixels, self.channels)
        self.tiles_out = num_tiles(self.pixels_out, self.channels)
        self.blocks = num_blocks(batch, height, width, self.channels)
        self.blocks_out = num_blocks(batch, height_out, width_out, self.channels)
        self.blocks_of_chunk, self.chunks_of_taps = self._in_chunks(self.blocks_out)
        self.tiles_of_chunk, self.chunks = self._in_chunks(self.tiles_out)
        self.first_norms = 4 * self.stacked  # channels of batch norms; those of the pools follow
        self.first_total = self.first_norms + 2 * self.channels
        self.second_total = 2 * self.stacked
        self.device = x.device
        self.sum_dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        self.sum_type = sum_type(x.dtype)
        self.has_identity = candidates.columns[6] >= 0
        self.tile: dict[str, Any] = {
            "C": self.channels,
            "PIX": tile_pixels(self.channels),
            "ACC": self.sum_type,
        }
        self.block: dict[str, Any] = {
            "C": self.channels,
            "M": block_columns(self.channels),
            "ACC": self.sum_type,
        }
        # The threads of a program hold the C x C weights of a 1x1 convolution between them, and in
        # projections their gradients, too; a thread of a bfloat16 product needs more registers.
        self.warps_of_stage = NUM_WARPS * max(1, self.channels // 32)
        of_many = 2 * NUM_WARPS if x.dtype == torch.bfloat16 else 4 * NUM_WARPS
        self.warps_of_projections = NUM_WARPS if self.channels <= 32 else of_many
        self.dots: dict[str, Any] = {"DOT": factor_type(x.dtype), "PRECISION": products_precision()}
        self.image: dict[str, Any] = {"H": height, "W": width, "STRIDE": stride}
        self.image_out: dict[str, Any] = {"H": height_out, "W": width_out}
        self.gated: dict[str, Any] = {"COLUMNS": candidates.columns, "NUM_GATES": gates.shape[1]}

    def _in_chunks(self, num: int) -> tuple[int, int]:
        """How many a chunk has, and how many chunks there are."""
        of_chunk = -(-num // max(1, MOST_CHUNKS // self.edges))
        return of_chunk, -(-num // of_chunk)

    def sums(self, *shape: int) -> Tensor:
        """An empty tensor for sums over features."""
        return torch.empty(shape, dtype=self.sum_dtype, device=self.device)
