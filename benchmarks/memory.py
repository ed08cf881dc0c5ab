"""Peak memory of one search step for each batch size, with and without recomputation.

python -m benchmarks.memory [--space s2] [--batch-sizes 16 32 64] [--device cpu]

Each figure is taken in a process of its own: what one step adds to the memory held before it. S1 is
measured at 32 x 32 beside the plain step, S2 at 224 x 224. On a CPU the process also keeps what it
has freed: `benchmarks.counts` has what is held at once.
"""

import argparse
import subprocess
import sys
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
        print(added_bytes(build, batch_sizes[0], torch.device(options.device)))
        return
    names = list(VARIANTS[options.space])
    rows: list[tuple[str, ...]] = [("batch", *(f"{name}, GiB" for name in names), "ratios")]
    for batch_size in batch_sizes:
        arguments = ["--space", options.space, "--batch-sizes", str(batch_size)]
        arguments += ["--device", options.device]
        gib = [_in_own_process(*arguments, "--only", name) / 2**30 for name in names]
        ratios = " ".join(f"{value / gib[0]:.2f}" for value in gib[1:])
        rows.append((str(batch_size), *(f"{value:.2f}" for value in gib), ratios))
    print(table(rows))


def added_bytes(build: Build, batch_size: int, device: torch.device) -> int:
    """Peak of one step less what is held before it; a small step has warmed up the libraries."""
    torch.set_num_threads(1)
    build(4, device)()
    step = build(batch_size, device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
        step()
        peak: int = torch.cuda.max_memory_allocated(device)
        return peak - held
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # forget the peak so far (Linux)
    held = psutil.Process().memory_info().rss
    step()
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    (peak_kib,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(peak_kib) * 1024 - int(held)


def _in_own_process(*arguments: str) -> int:
    command = [sys.executable, "-m", "benchmarks.memory", *arguments]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
