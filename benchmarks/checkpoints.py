"""What checkpoints cost a training on a slow disk: python -m benchmarks.checkpoints [OPTION...]

Saves a state after every "epoch", in which the processor multiplies matrices. Prints the wall time
of all epochs over that of as many without checkpoints, and the peak of memory: with checkpoints
written before the next epoch begins, and with those written while it is computed. Writing is slowed
down to the rate given.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from fairdarts.training.checkpoint import state_to_bytes
from orchestrate.stages import checkpoints
from orchestrate.stages.checkpoints import CheckpointWriter
from orchestrate.stages.lease import Attempt
from orchestrate.stages.runtime import peak_of_process
from results.store import files

NEVER_LARGE = 10**15


def main() -> None:
    """Measure, each way in a process of its own, and print a line for each."""
    parser = argparse.ArgumentParser(description="What checkpoints cost on a slow disk.")
    parser.add_argument("--state-mb", type=int, default=100, help="Size of the state.")
    parser.add_argument("--disk-mb-s", type=int, default=50, help="Speed of the disk.")
    parser.add_argument("--epoch-s", type=float, default=4.0, help="Time of an epoch.")
    parser.add_argument("--epochs", type=int, default=5)
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{'':24} {'wall':>8} {'of none':>8} {'peak':>10}")
    without_s = 0.0
    for way in ("none", "before the next epoch", "beside the next epoch"):
        with context.Pool(1) as pool:
            wall_s, peak = pool.apply(
                _measured, (way, given.state_mb, given.disk_mb_s, given.epoch_s, given.epochs)
            )
        without_s = without_s or wall_s
        print(f"{way:24} {wall_s:7.1f}s {wall_s / without_s:8.2f} {peak / 1e6:7.0f} MB", flush=True)


def _measured(
    way: str, state_mb: int, disk_mb_s: int, epoch_s: float, num_epochs: int
) -> tuple[float, int]:
    """Wall time of all epochs in seconds, and peak of memory in bytes."""
    torch.set_num_threads(1)
    state = nn.Linear(1000, state_mb * 250, bias=False)
    real = files.write_whole

    def slow(path: Path, content: bytes, mode: int | None = None) -> None:
        time.sleep(len(content) / 1e6 / disk_mb_s)
        real(path, content, mode)

    vars(checkpoints)["write_whole"] = slow
    if way != "beside the next epoch":
        checkpoints.LARGE_BYTES = NEVER_LARGE
    num_products = _products_in(epoch_s)
    with tempfile.TemporaryDirectory(prefix="fairdarts-checkpoints-") as folder:
        attempt = Attempt.take(Path(folder) / "stage")
        began = time.monotonic()
        with CheckpointWriter(attempt) as writer:
            for epoch in range(num_epochs):
                _multiply(num_products)
                if way != "none":
                    writer.wait()
                    writer.save(epoch, state_to_bytes(epoch, {"state": state}, {}), b"", "")
        wall_s = time.monotonic() - began
        attempt.release()
    return wall_s, peak_of_process()


def _products_in(seconds: float) -> int:
    began = time.monotonic()
    _multiply(20)
    return round(20 * seconds / (time.monotonic() - began))


def _multiply(times: int) -> None:
    matrix = torch.ones(500, 500)
    for _ in range(times):
        torch.mm(matrix, matrix)


if __name__ == "__main__":
    main()
