"""Whether the stages that share a GPU fit into its memory, told before any of them starts."""

import itertools
import math
from collections.abc import Mapping, Sequence

from orchestrate.errors import ClusterError
from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.resources import Share
from orchestrate.running.forecast import gpu_peaks

CUDA_BYTES = 2**29
"""What each process needs beside its tensors, about: CUDA itself, and buffers of its libraries."""


def check_fractions(
    trials: list[TrialSpec], shares: Mapping[str, Share], gpu_bytes: int | None
) -> None:
    """Refuse fractions of a GPU of which the stages need more memory than it has.

    Whole GPUs are not checked: with one stage on a GPU there is no fraction to choose.

    Args:
        trials: What is to be run.
        shares: What a stage gets, by kind.
        gpu_bytes: Memory of the smallest GPU that stages may get; None: nobody knows.
    Raises:
        ClusterError: Names the fraction that fits.
        DataError: If a data set cannot be used.
    """
    if gpu_bytes is None:
        return
    for kind, share in shares.items():
        if 0 < share.gpus < 1:
            check_peaks(kind, gpu_peaks(trials, kind), share.gpus, gpu_bytes)


def check_peaks(kind: str, peaks: Sequence[int], gpus: float, gpu_bytes: int) -> None:
    """Refuse a fraction of a GPU if stages of one kind need more memory than it has.

    Args:
        kind: Of the stages.
        peaks: What each stage needs, the largest first.
        gpus: The fraction.
        gpu_bytes: The memory.
    Raises:
        ClusterError: Names the fraction that fits.
    """
    together = peaks[: int(1 / gpus)]  # The largest may well meet on one GPU.
    needed = sum(together) + CUDA_BYTES * len(together)
    if needed <= gpu_bytes:
        return
    fitting = most_that_fit(peaks, gpu_bytes)
    if fitting:
        remedy = f"set resources.{kind}.gpus={fraction(fitting)}"
    else:
        remedy = f"one alone needs {_gib(peaks[0] + CUDA_BYTES)}: take a larger GPU"
    if kind == "search":
        remedy += ", or search.recompute=true"
    one, more = {"search": ("search", "searches"), "retrain": ("retraining", "retrainings")}[kind]
    stages = f"{len(together)} {more} on one, which need"
    if len(together) == 1:
        stages = f"1 {one} on one, which needs"
    raise ClusterError(
        f"{gpus:g} of a GPU for a {one} (resources.{kind}.gpus, or resources.gpus_per_trial) puts "
        f"{stages} {_gib(needed)} of its {_gib(gpu_bytes)} of memory: {remedy}."
    )


def most_that_fit(peaks: Sequence[int], gpu_bytes: int) -> int:
    """How many of some stages fit into the memory of a GPU, whichever they are.

    Args:
        peaks: What each needs, the largest first.
        gpu_bytes: The memory.
    """
    needed = 0
    for number, peak in enumerate(peaks):
        needed += peak + CUDA_BYTES
        if needed > gpu_bytes:
            return number
    return len(peaks)


def recommended(
    peaks: Sequence[int], gpu_bytes: int, busy_pct: float | None, most: int | None = None
) -> int:
    """How many stages of a kind should share a GPU.

    Args:
        peaks: What each needs of its memory, the largest first.
        gpu_bytes: The memory.
        busy_pct: Share of the time in which one stage keeps the GPU busy; None: not known. Twice
            as many stages as would fill a GPU take twice as long each.
        most: How many at most, for another reason.
    Returns:
        0 if not even one fits.
    """
    limits = [most_that_fit(peaks, gpu_bytes)]
    if busy_pct:
        limits.append(max(1, round(100 / busy_pct)))
    if most is not None:
        limits.append(max(1, most))
    return min(limits)


def fraction(number: int) -> str:
    """The part of a GPU that lets this many stages share it, with as few digits as possible."""
    parts = (math.floor(10**digits / number) / 10**digits for digits in itertools.count(2))
    return f"{next(part for part in parts if part and int(1 / part) == number):g}"


def _gib(num_bytes: float) -> str:
    return f"{num_bytes / 2**30:.1f} GiB"
