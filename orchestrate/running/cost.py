"""What the trials of a sweep have cost so far, read from the store."""

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from orchestrate.planning.plan import TrialSpec
from results.store.store import Store


@dataclass(frozen=True)
class SweepCost:
    """The cost of all attempts at the stages of a sweep, also of failed and lost ones."""

    slot_s: float
    """Sum of their times; an attempt that is still running does not count yet."""
    gpu_s: float
    """The same times the GPUs of each, fractions counted; 0 if all was computed on CPUs."""
    energy_j: float | None
    """Energy of GPUs, see `attempts.energy_j`; None if no attempt has any on record."""
    elapsed_s: float
    """From the start of the first attempt to the end of the last one, with pauses in between."""
    disk_bytes: int
    """Size of their checkpoints and logs; rows are small."""


def sweep_cost(store: Store, trials: list[TrialSpec]) -> SweepCost:
    """The cost of some trials; a stage that they share counts once."""
    stages = {stage.key: stage for trial in trials for stage in trial.stages}
    columns = ["started_at", "ended_at", "wall_s", "num_gpus", "energy_j"]
    rows = store.read("attempts", stages, columns).to_pylist()
    ended = [row for row in rows if row["ended_at"] is not None]
    elapsed = timedelta()
    if ended:
        elapsed = max(row["ended_at"] for row in ended) - min(row["started_at"] for row in rows)
    energies = [row["energy_j"] for row in ended if row["energy_j"] is not None]
    folders = [store.stage_dir(stage.kind, stage.key) for stage in stages.values()]
    return SweepCost(
        slot_s=sum(row["wall_s"] or 0 for row in ended),
        gpu_s=sum((row["wall_s"] or 0) * (row["num_gpus"] or 0) for row in ended),
        energy_j=sum(energies) if energies else None,
        elapsed_s=elapsed.total_seconds(),
        disk_bytes=sum(map(_size, folders)),
    )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # A running stage replaces its checkpoints.
            total += path.lstat().st_size if path.is_file() else 0
    return total
