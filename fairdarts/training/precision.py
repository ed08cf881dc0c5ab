"""In what precision a device multiplies; weights and sums stay float32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import torch

from fairdarts.vocabulary import Precision


@contextmanager
def float32_products(precision: Precision) -> Iterator[None]:
    """Inside, CUDA rounds factors of float32 products to TF32 if `precision` is `tf32`.

    Otherwise it does not, although torch by default does so in convolutions. CPUs never round. The
    caller's own settings, by torch's older names (`allow_tf32`) or newer ones (`fp32_precision`),
    are back afterwards.
    """
    backends: Any = torch.backends  # whose annotations lack `conv` and `rnn`
    on_cuda = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn)
    newer = (*on_cuda, backends.mkldnn.matmul)
    before = [setting.fp32_precision for setting in newer]
    matmul, cudnn = _older_settings()
    is_tf32 = precision == "tf32"
    # By both names: after a change of one alone, whoever reads the other meets an exception, and
    # `torch.backends.cudnn.flags` reads.
    torch.set_float32_matmul_precision("high" if is_tf32 else "highest")
    backends.cudnn.allow_tf32 = is_tf32
    for setting in on_cuda:
        setting.fp32_precision = "tf32" if is_tf32 else "ieee"
    backends.mkldnn.matmul.fp32_precision = "ieee"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        backends.cudnn.allow_tf32 = cudnn
        for setting, value in zip(newer, before, strict=True):
            setting.fp32_precision = value


def _older_settings() -> tuple[str, bool]:
    """The precision of matrix products and whether cuDNN may use TF32, by torch's older names.

    torch refuses to tell them to a caller who changed the newer ones alone: the older ones are then
    still as torch sets them at first.
    """
    matmul, cudnn = "highest", True
    with suppress(RuntimeError):
        matmul = torch.get_float32_matmul_precision()
    with suppress(RuntimeError):
        cudnn = torch.backends.cudnn.allow_tf32
    return matmul, cudnn


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """Inside, convolutions and matrix products compute in bfloat16 if `precision` says so."""
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
