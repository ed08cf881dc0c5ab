"""What the machine can do at best: copying and multiplying."""

import statistics
from functools import partial

import torch

from benchmarks.gpu.measure import piece_ms, times_ms
from benchmarks.gpu.readings import Reading, Report, Setup, Sizes
from fairdarts.training.precision import float32_products
from fairdarts.vocabulary import Precision

PRODUCTS: dict[str, tuple[Precision, torch.dtype]] = {
    "float32": ("float32", torch.float32),
    "TF32": ("tf32", torch.float32),
    "bfloat16": ("bfloat16", torch.bfloat16),
}


def measure(setup: Setup, report: Report) -> None:
    """Copy bandwidth, and square matrix products in three precisions."""
    device, sizes = torch.device(setup.device), setup.sizes
    bandwidth = copy_tb_per_s(sizes, device)
    report(Reading("copy, read and written", bandwidth, "TB/s"))
    for name, (precision, dtype) in PRODUCTS.items():
        shape = (sizes.product_size, sizes.product_size)
        a, b = (torch.randn(shape, device=device).to(dtype) for _ in range(2))
        out = torch.empty_like(a)
        with float32_products(precision):
            product = partial(torch.mm, a, b, out=out)
            ms = statistics.median(times_ms(product, sizes, device))
        rate = 2 * sizes.product_size**3 / ms / 1e9
        report(Reading(f"matrix product, {name}", rate, "TFLOP/s"))


def copy_tb_per_s(sizes: Sizes, device: torch.device) -> float:
    """Bytes read and written by a large copy."""
    source = torch.empty(sizes.copy_bytes // 4, device=device).normal_()
    target = torch.empty_like(source)
    ms = piece_ms([lambda: target.copy_(source)], sizes, device)
    return 2 * source.nbytes / ms / 1e9
