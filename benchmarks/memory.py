"""Peak memory of one S1 search step for each batch size: plain, fast, with recomputed cells.

python -m benchmarks.memory [--batch-sizes 16 32 64] [--device cpu]

Each figure is taken in a process of its own: what one step adds to the memory held before it.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import psutil
import torch

from benchmarks.search_speed import Variant, fast_variant, plain_variant
from benchmarks.timing import table

VARIANTS = ("plain", "fairdarts", "recompute")


def main() -> None:
    """Print the table, or in a process of its own one figure of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        (batch_size,) = options.batch_sizes
        print(added_bytes(options.only, batch_size, torch.device(options.device)))
        return
    rows: list[tuple[str, ...]] = [("batch", *(f"{name}, GiB" for name in VARIANTS), "ratios")]
    for batch_size in options.batch_sizes:
        gib = [_in_own_process(name, batch_size, options.device) / 2**30 for name in VARIANTS]
        ratios = " ".join(f"{value / gib[0]:.2f}" for value in gib[1:])
        rows.append((str(batch_size), *(f"{value:.2f}" for value in gib), ratios))
    print(table(rows))


def added_bytes(variant: str, batch_size: int, device: torch.device) -> int:
    """Peak of one step less what is held before it; a small step has warmed up the libraries."""
    torch.set_num_threads(1)
    _variant(variant, 2, device)()
    step = _variant(variant, batch_size, device)
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


def _variant(name: str, batch_size: int, device: torch.device) -> Variant:
    if name == "plain":
        return plain_variant(batch_size, device)
    return fast_variant(batch_size, device, recompute=name == "recompute")


def _in_own_process(variant: str, batch_size: int, device: str) -> int:
    command = [sys.executable, "-m", "benchmarks.memory", "--only", variant]
    command += ["--batch-sizes", str(batch_size), "--device", device]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
