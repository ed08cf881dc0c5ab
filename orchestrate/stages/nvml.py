"""What the driver of NVIDIA's GPUs knows of them: memory, and the energy that they have used.

Asking it (NVML) starts nothing on a GPU, unlike asking CUDA. Where there is no such driver, or it
does not know, the answer is None or nothing.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def memories() -> list[int]:
    """Bytes of memory of every GPU of this machine, also of those that CUDA does not show us."""

    def ask(nvml: Any) -> list[int]:
        gpus = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
        return [int(nvml.nvmlDeviceGetMemoryInfo(gpu).total) for gpu in gpus]

    return _asked(ask) or []


def smallest_memory(num_gpus: int) -> int | None:
    """Bytes of memory of the smallest GPU that trials get; None: there is none, or nobody knows.

    Args:
        num_gpus: How many of this machine's GPUs trials get. The driver cannot know which, so they
            are taken to be the largest: a small one may only draw the screen.
    """
    largest = sorted(memories(), reverse=True)[:num_gpus]
    return largest[-1] if largest else None


def energy_j() -> float | None:
    """Energy that CUDA's current GPU has used since its driver was loaded, in joules.

    None for a part of a GPU (MIG), too: the driver counts the energy of whole ones.
    """
    millijoules = _asked(lambda nvml: nvml.nvmlDeviceGetTotalEnergyConsumption(_current_gpu(nvml)))
    return None if millijoules is None else float(millijoules / 1000)


def busy_pct() -> float | None:
    """Share of the last second or less in which any kernel ran on CUDA's current GPU."""
    rates = _asked(lambda nvml: nvml.nvmlDeviceGetUtilizationRates(_current_gpu(nvml)))
    return None if rates is None else float(rates.gpu)


def _current_gpu(nvml: Any) -> Any:
    """The driver's handle: it numbers GPUs in another way than CUDA."""
    properties: Any = torch.cuda.get_device_properties(torch.cuda.current_device())
    return nvml.nvmlDeviceGetHandleByUUID(f"GPU-{properties.uuid}")


def _asked(ask: Callable[[Any], T]) -> T | None:
    try:
        import pynvml  # not installed on macOS
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        try:
            return ask(pynvml)
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError:  # no driver, or one that does not know
        return None
