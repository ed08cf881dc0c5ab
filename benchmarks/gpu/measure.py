"""Times, kernels and memory of something that a device does again and again."""

import gc
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.readings import Sizes
from benchmarks.timing import synchronise

Work = Callable[[], object]
NUM_IN_GRAPH = 12
"""Calls of a piece in one recording: launching them one by one would cost more than they do."""


@dataclass(frozen=True)
class Trace:
    """What a device did in one step; None on a device that keeps no record."""

    kernels: int | None = None
    busy_pct: float | None = None


def times_ms(work: Work, sizes: Sizes, device: torch.device) -> list[float]:
    """How long each of some calls took, after some to warm up, by the device's own clock."""
    for _ in range(sizes.warm_ups):
        work()
    synchronise(device)
    if device.type != "cuda":
        times = [time.perf_counter()]
        for _ in range(sizes.repeats):
            work()
            times.append(time.perf_counter())
        return [1e3 * (end - start) for start, end in itertools.pairwise(times)]
    events = [
        torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        for _ in range(sizes.repeats + 1)
    ]
    events[0].record()
    for event in events[1:]:
        work()
        event.record()
    synchronise(device)
    return [start.elapsed_time(end) for start, end in itertools.pairwise(events)]


def piece_ms(calls: list[Work], sizes: Sizes, device: torch.device) -> float:
    """Median time of one call of a small piece.

    Args:
        calls: The same work on data of its own each, taken in turn: no cache then holds the data.
        sizes: How often to time all of them.
        device: On CUDA the calls are recorded as a graph and replayed.
    """
    in_turn = [calls[number % len(calls)] for number in range(max(NUM_IN_GRAPH, len(calls)))]
    if device.type != "cuda":
        in_turn = calls

    def all_of_them() -> None:
        for call in in_turn:
            call()

    work = _recorded(all_of_them) if device.type == "cuda" else all_of_them
    return statistics.median(times_ms(work, sizes, device)) / len(in_turn)


def _recorded(work: Work) -> Work:
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work()  # libraries choose kernels and workspaces, and Triton compiles
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        work()
    return graph.replay


def trace(work: Work, ms: float, device: torch.device) -> Trace:
    """What the device does in one call, which takes `ms` without the profiler.

    The profiler slows the host down, not the device: the time in which kernels run stays the same.
    """
    if device.type != "cuda":
        return Trace()
    synchronise(device)
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        work()
        synchronise(device)
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in profiler.events() or []
        # An annotation spans kernels that are events themselves.
        if event.device_type.name == "CUDA" and not event.is_user_annotation
    ]
    return Trace(len(spans), min(100.0, 100 * covered(spans) / 1e3 / ms))


def covered(spans: list[tuple[float, float]]) -> float:
    """How much of a line the spans (start, end) cover: what overlaps counts once."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def forget(device: torch.device) -> None:
    """Free what the last variant held, and its peak."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_gib(device: torch.device) -> float | None:
    """Most that tensors have held at once since `forget`; None where nobody counts."""
    if device.type != "cuda":
        return None
    return torch.cuda.max_memory_allocated(device) / 2**30
