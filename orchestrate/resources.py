"""What a trial asks for, and what there is to give it."""

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from fairdarts.config import Config
from orchestrate.errors import ClusterError


class Resources(Config):
    """What a trial gets and how many run at once."""

    cpus_per_trial: int = Field(default=1, ge=1)
    """CPU cores, and threads of torch, per trial."""
    gpus_per_trial: float | None = Field(default=None, ge=0)
    """GPUs per trial, fractions too; None: one where the cluster has any, else none."""
    max_concurrent: int | None = Field(default=None, ge=1)
    """Trials at once; None: as many as fit."""
    max_attempts: int = Field(default=3, ge=1)
    """How often a failing stage is tried in all; `fairdarts sweep resume` starts the next try."""


UNITS = ("CPU", "GPU")


@dataclass(frozen=True)
class Share:
    """What one trial gets."""

    cpus: int
    gpus: float

    def at_once(self, available: dict[str, float]) -> int:
        """How many trials fit at a time."""
        fits = [available["CPU"] / self.cpus]
        if self.gpus:
            fits.append(available["GPU"] / self.gpus)
        return int(min(fits))


def trial_share(resources: Resources, available: dict[str, float]) -> Share:
    """What a trial gets of the CPUs and GPUs of a node.

    Raises:
        ClusterError: If it asks for more than there is.
    """
    gpus = resources.gpus_per_trial
    if gpus is None:
        gpus = 1.0 if available.get("GPU", 0) >= 1 else 0.0
    for name, wanted in (("CPU", resources.cpus_per_trial), ("GPU", gpus)):
        if wanted > available.get(name, 0):
            raise ClusterError(
                f"resources.{name.lower()}s_per_trial (={wanted:g}) is more than a machine has: "
                f"{available.get(name, 0):g} {name}. Lower it or join a larger cluster."
            )
    return Share(resources.cpus_per_trial, gpus)


def largest(nodes: list[dict[str, float]]) -> dict[str, float]:
    """The most that one node has of each: a trial never spans two."""
    return {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in UNITS}


def local_resources() -> dict[str, float]:
    """CPUs and GPUs of this machine, without Ray or torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        num_gpus = len([part for part in visible.split(",") if part.strip()])
    else:
        num_gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))
    return {"CPU": float(num_cpus()), "GPU": float(num_gpus)}


def num_cpus() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
