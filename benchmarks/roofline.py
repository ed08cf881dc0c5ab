"""How near a search step comes to what this machine can do: `python -m benchmarks.roofline`.

Operations and bytes are counted (see `benchmarks.counts`), peaks and times are measured, in one
process and on one thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from benchmarks.counts import Counts, fast_counts, plain_counts, search_config
from benchmarks.search_speed import fast_variant, plain_variant
from benchmarks.timing import interleaved, table

GEMM_SIZE = 2048
COPY_BYTES = {"copy from and to memory": 128 << 20, "copy within the cache": 256 << 10}


def main() -> None:
    """Print the peaks and, for the plain and the fast step, the share of them that is reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    gflops = gemm_gflops()
    bandwidths = {name: copy_gbytes(size) for name, size in COPY_BYTES.items()}
    print(f"matrix product, {GEMM_SIZE}^3, float32: {gflops:.0f} GFLOP/s")
    for name, value in bandwidths.items():
        print(f"{name}: {value:.0f} GB/s (read and written)")
    print()
    memory = bandwidths["copy from and to memory"]
    device = torch.device("cpu")
    variants = {
        "plain": plain_variant(options.batch_size, device),
        "fairdarts": fast_variant(options.batch_size, device),
    }
    timings = interleaved(variants, options.rounds, device)
    config = search_config(batch_size=options.batch_size)
    counts = {"plain": plain_counts(config), "fairdarts": fast_counts(config)}
    rows: list[tuple[str, ...]] = [
        (
            "step",
            "GFLOP",
            "GB",
            "s",
            "GFLOP/s",
            "of peak",
            "GB/s",
            "of memory",
            "roofline s",
            "of it",
        )
    ]
    for name, timing in timings.items():
        rows.append((name, *_row(counts[name], statistics.median(timing.cpu_s), gflops, memory)))
    print(table(rows))


def _row(counts: Counts, seconds: float, gflops: float, gbytes: float) -> tuple[str, ...]:
    gflop, gbyte = counts.flop / 1e9, counts.traffic_bytes / 1e9
    bound = max(gflop / gflops, gbyte / gbytes)
    return (
        f"{gflop:.0f}",
        f"{gbyte:.0f}",
        f"{seconds:.2f}",
        f"{gflop / seconds:.1f}",
        f"{gflop / seconds / gflops:.0%}",
        f"{gbyte / seconds:.1f}",
        f"{gbyte / seconds / gbytes:.0%}",
        f"{bound:.2f}",
        f"{bound / seconds:.0%}",
    )


def gemm_gflops() -> float:
    """Best rate of a square float32 matrix product."""
    a, b = torch.randn(2, GEMM_SIZE, GEMM_SIZE).unbind()
    return 2 * GEMM_SIZE**3 / _best_seconds(lambda: a @ b) / 1e9


def copy_gbytes(size: int) -> float:
    """Best rate of copying `size` bytes, reads and writes together."""
    source = torch.zeros(size // 4)
    target = torch.zeros_like(source)
    repeats = max(1, (64 << 20) // size)

    def copy() -> None:
        for _ in range(repeats):
            target.copy_(source)

    return 2 * size * repeats / _best_seconds(copy) / 1e9


def _best_seconds(work: Callable[[], object], tries: int = 7) -> float:
    best = float("inf")
    for _ in range(tries):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


if __name__ == "__main__":
    main()
