"""Peak memory and time of one search step for each batch size, with and without recomputation.

python -m benchmarks.memory [--space s2] [--batch-sizes 16 32 64] [--device cpu]

Each figure is taken in a process of its own: what one step adds to the memory held before it. S1 is
measured at 32 x 32 beside the plain step, S2 at 224 x 224. On a CPU the process also keeps what it
has freed: `benchmarks.counts` has what is held at once.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import torch

from benchmarks.search_speed import Variant, fast_variant, plain_variant
from benchmarks.timing import table

Build = Callable[[int, torch.device], Variant]
VARIANTS: dict[str, dict[str, Build]] = {
    "s1": {
        "plain": plain_variant,
        "fairdarts": fast_variant,
        "recompute": partial(fast_variant, recompute=True),
    },
    "s2": {
        "fairdarts": partial(fast_variant, space="s2"),
        "recompute": partial(fast_variant, space="s2", recompute=True),
        "recompute, 2 micro-batches": partial(
            fast_variant, space="s2", recompute=True, micro_batches=2
        ),
    },
}
BATCH_SIZES = {"s1": [16, 32, 64], "s2": [8, 16, 24]}


def main() -> None:
    """Print the table, or in a process of its own one figure of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", choices=VARIANTS, default="s1")
    parser.add_argument("--batch-sizes", type=int, nargs="+")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    options = parser.parse_args()
    batch_sizes = options.batch_sizes or BATCH_SIZES[options.space]
    if options.only:
        build = VARIANTS[options.space][options.only]
        print(*added_bytes_and_seconds(build, batch_sizes[0], torch.device(options.device)))
        return
    names = list(VARIANTS[options.space])
    rows: list[tuple[str, ...]] = [("batch", "", *names, "ratios")]
    for batch_size in batch_sizes:
        arguments = ["--space", options.space, "--batch-sizes", str(batch_size)]
        arguments += ["--device", options.device]
        measured = [_in_own_process(*arguments, "--only", name) for name in names]
        for unit, column in (
            ("GiB", [num_bytes / 2**30 for num_bytes, _ in measured]),
            ("s", [seconds for _, seconds in measured]),
        ):
            ratios = " ".join(f"{value / column[0]:.2f}" for value in column[1:])
            rows.append((str(batch_size), unit, *(f"{value:.2f}" for value in column), ratios))
    print(table(rows))


def added_bytes_and_seconds(
    build: Build, batch_size: int, device: torch.device
) -> tuple[int, float]:
    """What one step adds at most to what is held before it; a small one has warmed up libraries."""
    torch.set_num_threads(1)
    build(4, device)()
    step = build(batch_size, device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
        started = time.perf_counter()
        step()
        torch.cuda.synchronize(device)
        seconds = time.perf_counter() - started
        peak: int = torch.cuda.max_memory_allocated(device)
        return peak - held, seconds
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # forget the peak so far (Linux)
    held = psutil.Process().memory_info().rss
    started = time.process_time()
    step()
    seconds = time.process_time() - started
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (peak_kib,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak_kib) * 1024 - int(held), seconds


def _in_own_process(*arguments: str) -> tuple[int, float]:
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    num_bytes, seconds = done.stdout.split()
    return int(num_bytes), float(seconds)


if __name__ == "__main__":
    main()
