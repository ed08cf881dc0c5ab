"""What the trials of a sweep have cost so far, read from the store."""

import math
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from orchestrate.planning.plan import TrialSpec
from orchestrate.stages.paths import CHECKPOINTS
from results.store.attempts import read_attempts
from results.store.layout import ROWS_OF
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
    """Size of their checkpoints; rows and logs are small."""


def sweep_cost(store: Store, trials: list[TrialSpec]) -> SweepCost:
    """The cost of some trials; a stage that they share counts once."""
    import pyarrow.compute as pc

    stages = {stage.key: stage for trial in trials for stage in trial.stages}
    columns = ["started_at", "ended_at", "wall_s", "num_gpus", "energy_j"]
    rows = read_attempts(store, stages, columns)
    ended = rows.filter(pc.is_valid(rows["ended_at"]))
    # Times stay numbers: to make those of Python, pyarrow imports pandas, and that is slow.
    began_us, ended_us = rows["started_at"].cast("int64"), ended["ended_at"].cast("int64")
    first_us, last_us = pc.min(began_us).as_py(), pc.max(ended_us).as_py()
    elapsed_us = last_us - first_us if None not in (first_us, last_us) else 0
    walls, gpus = ended["wall_s"].to_pylist(), ended["num_gpus"].to_pylist()
    energies = [energy for energy in ended["energy_j"].to_pylist() if energy is not None]
    return SweepCost(
        # Rounded once, at the end: the sums must not depend on the order of the rows.
        slot_s=math.fsum(wall or 0 for wall in walls),
        gpu_s=math.fsum((wall or 0) * (num or 0) for wall, num in zip(walls, gpus, strict=True)),
        energy_j=math.fsum(energies) if energies else None,
        elapsed_s=elapsed_us / 1e6,
        disk_bytes=_checkpoint_bytes(store, stages),
    )


def _checkpoint_bytes(store: Store, keys: Collection[str]) -> int:
    """Size of the checkpoints of some stages."""
    # Entries of folders instead of a path for each stage: there may be tens of thousands.
    return sum(
        file.stat().st_size
        for kind, tables in ROWS_OF.items()
        if "epochs" in tables  # Others have no checkpoints.
        for folder in _entries(store.root / "stages" / kind)
        for stage in _entries(folder.path)
        if stage.name in keys
        for file in _entries(f"{stage.path}/{CHECKPOINTS}")
    )


def _entries(folder: Path | str) -> list["os.DirEntry[str]"]:
    """What is in a folder; nothing if it is missing, and no file that has just been replaced."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if entry.is_dir() or _exists(entry)]
    except FileNotFoundError:
        return []


def _exists(entry: "os.DirEntry[str]") -> bool:
    try:
        return bool(entry.stat())  # It is kept, so that asking for its size cannot fail later.
    except FileNotFoundError:
        return False
