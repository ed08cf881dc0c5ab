"""The CPUs and GPUs that a trial asks for, and those that a machine has."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator

from fairdarts.config import Config
from orchestrate.errors import ClusterError


class Resources(Config):
    """Section [resources] of a sweep: what a trial gets, and how many trials run at once."""

    cpus_per_trial: int = Field(default=1, ge=1)
    """CPU cores, and threads of torch, per trial."""
    gpus_per_trial: float | None = Field(default=None, ge=0)
    """GPUs per trial, also a fraction below 1; left out: one if there is any GPU, else none."""
    loader_workers: int | None = Field(default=None, ge=0)
    """Processes that decode images for `data.augmentation = resized_crop`, for each stream of
    images (a search has two); left out: as many as CPUs if the trial has a GPU, else none: then the
    trial's own process decodes."""
    max_concurrent: int | None = Field(default=None, ge=1)
    """How many trials run at once; left out: as many as fit."""
    max_attempts: int = Field(default=3, ge=1)
    """How many times a failing stage is tried in all; `fairdarts sweep resume` starts the next
    try."""

    @field_validator("gpus_per_trial")
    @classmethod
    def _whole_above_one(cls, gpus: float | None) -> float | None:
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise ValueError(f"gpus_per_trial (={gpus}) above 1 must be a whole number.")
        return gpus


Node = dict[str, float]
"""How many CPUs and GPUs a machine has, by `CPU` and `GPU`; a name is missing if it has none."""


@dataclass(frozen=True)
class Share:
    """What one trial gets."""

    cpus: int
    gpus: float
    loader_workers: int = 0

    def fits(self, node: Node) -> int:
        """How many trials a node can run at once. A trial with part of a GPU never uses two."""
        by_cpu = int(node.get("CPU", 0) // self.cpus)
        if not self.gpus:
            return by_cpu
        gpus = int(node.get("GPU", 0))
        by_gpu = gpus * int(1 / self.gpus) if self.gpus < 1 else int(gpus // self.gpus)
        return min(by_cpu, by_gpu)


def trial_share(resources: Resources, nodes: list[Node]) -> Share:
    """What a trial gets of the CPUs and GPUs of a node.

    Raises:
        ClusterError: If it asks for more than any node has: a trial runs on one node.
    """
    gpus = resources.gpus_per_trial
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0.0
    workers = resources.loader_workers
    if workers is None:
        workers = resources.cpus_per_trial if gpus else 0
    share = Share(resources.cpus_per_trial, gpus, workers)
    if not any(share.fits(node) for node in nodes):
        offers = "; ".join(f"{n.get('CPU', 0):g} CPU, {n.get('GPU', 0):g} GPU" for n in nodes)
        raise ClusterError(
            f"a trial asks for resources.cpus_per_trial (={share.cpus}) and "
            f"resources.gpus_per_trial (={share.gpus:g}), but no machine has both ({offers}). "
            "Lower them, or join a larger cluster: `fairdarts sweep run --address`."
        )
    return share


def this_machine() -> Node:
    """CPUs and GPUs of this machine, counted without Ray or torch: importing them takes seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        num_gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    else:
        # CUDA reads the list up to the first invalid index, such as -1; the GPUs after it are not
        # visible.
        names = [name.strip() for name in visible.split(",")]
        num_gpus = len(list(itertools.takewhile(lambda name: name and name[0] != "-", names)))
    return {"CPU": float(num_cpus()), "GPU": float(num_gpus)}


def num_cpus() -> int:
    """How many CPU cores this process may use.

    Those are the cores that it is bound to; fewer if its container has a smaller quota.
    """
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))
