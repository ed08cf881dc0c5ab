"""Interleaved timing of variants in one process."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch


@dataclass
class Timings:
    """Seconds of every round of one variant; CPU seconds are those of the whole process."""

    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)


def interleaved(
    variants: dict[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, Timings]:
    """Run every variant once to warm up, then `rounds` times, in reverse order every other time."""
    timings = {name: Timings() for name in variants}
    for name in variants:
        _clock(variants[name], device)
    for number in range(rounds):
        names = list(variants) if number % 2 == 0 else list(reversed(variants))
        for name in names:
            cpu_s, wall_s = _clock(variants[name], device)
            timings[name].cpu_s.append(cpu_s)
            timings[name].wall_s.append(wall_s)
    return timings


def _clock(variant: Callable[[], object], device: torch.device) -> tuple[float, float]:
    synchronise(device)
    cpu, wall = time.process_time(), time.perf_counter()
    variant()
    synchronise(device)
    return time.process_time() - cpu, time.perf_counter() - wall


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was told to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ratio(baseline: list[float], variant: list[float]) -> str:
    """Baseline by variant: median of the rounds' ratios, with their range."""
    ratios = [a / b for a, b in zip(baseline, variant, strict=True)]
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as aligned columns, the first row as head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *rest = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
