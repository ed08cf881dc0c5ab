"""In what precision a device multiplies; weights and sums stay float32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch


@contextmanager
def float32_products(precision: str) -> Iterator[None]:
    """Inside, CUDA rounds factors of float32 products to TF32 if `precision` is `tf32`.

    Otherwise it does not, although torch by default does so in convolutions.
    """
    cudnn: Any = torch.backends.cudnn  # whose annotations lack `conv`
    backends = (torch.backends.cuda.matmul, cudnn.conv)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.fp32_precision = value


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Inside, convolutions and matrix products compute in bfloat16 if `precision` says so."""
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
