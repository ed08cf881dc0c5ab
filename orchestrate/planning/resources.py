"""The CPUs and GPUs that a trial asks for, and those that a machine has."""

import itertools
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationInfo, field_validator

from fairdarts.config import Config
from fairdarts.config_base import shown
from orchestrate.errors import ClusterError

T = TypeVar("T")

TRAINING_KINDS = ("search", "retrain")
"""Kinds of stages that train. Only they get CPUs and GPUs; the others take milliseconds."""

NEVER: Literal["never"] = "never"
StallAfter = float | Literal["never"] | None
"""Seconds without progress after which a stage has stalled; None: as its epochs suggest."""
UNITS_S = {"s": 1, "min": 60, "h": 3600}

MORE_GPUS = (
    "a trial computes on one GPU: take 1, or a fraction for several trials on one GPU. More GPUs "
    "compute more trials at once."
)


def _at_most_one(gpus: float | None, info: ValidationInfo) -> float | None:
    if gpus is not None and gpus > 1:
        raise ValueError(f"{info.field_name} (={gpus:g}) is too many: {MORE_GPUS}")
    return gpus


class StageResources(Config):
    """What the stages of one kind get, where that differs from [resources]."""

    cpus: int | None = Field(default=None, ge=1)
    """CPU cores, and threads of torch; left out: resources.cpus_per_trial."""
    gpus: float | None = Field(default=None, ge=0)
    """GPUs: 1, a fraction, or 0 to compute on CPUs; left out: resources.gpus_per_trial."""
    loader_workers: int | None = Field(default=None, ge=0)
    """Processes that decode images, for each stream of them; left out: resources.loader_workers."""

    _one_gpu = field_validator("gpus")(_at_most_one)


class Resources(Config):
    """Section [resources] of a sweep: what a trial gets, and how many trials run at once."""

    cpus_per_trial: int = Field(default=1, ge=1)
    """CPU cores, and threads of torch, per trial."""
    gpus_per_trial: float | None = Field(default=None, ge=0)
    """GPUs per trial: 1, or a fraction; left out: one if there is any GPU, else none."""
    loader_workers: int | None = Field(default=None, ge=0)
    """Processes that decode images for `data.augmentation = resized_crop`, for each stream of
    images (a search has two); left out: as many as CPUs if the trial has a GPU, else none: then the
    trial's own process decodes."""
    max_concurrent: int | None = Field(default=None, ge=1)
    """How many trials run at once; left out: as many as fit."""
    max_attempts: int = Field(default=3, ge=1)
    """How many times a failing stage is tried in all; `fairdarts sweep resume` starts the next
    try."""
    fresh_process: bool = False
    """Start a process for every stage; otherwise a process computes one stage after the other."""
    stall_after: float | Literal["never"] | None = None
    """How long a stage may run without finishing an epoch, in seconds or such as "30 min" or "2 h".
    Then its process is ended, and another one continues from the last epoch. Left out: ten times
    its longest epoch so far, at least 10 minutes; "never" or false: without end."""
    leave_after: float | Literal["never"] = NEVER
    """How long a run waits when other runs compute all that is left, in seconds or such as
    "10 min", before it ends and leaves its GPUs to others. Without a time it waits until all is
    done, and takes over what a dead process leaves."""
    search: StageResources = Field(default_factory=StageResources)
    """What a search gets, where it differs."""
    retrain: StageResources = Field(default_factory=StageResources)
    """What a retraining gets, where it differs."""

    _one_gpu = field_validator("gpus_per_trial")(_at_most_one)

    @field_validator("stall_after", "leave_after", mode="before")
    @classmethod
    def _seconds(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None or value is False or value == NEVER:
            return None if value is None else NEVER
        match = re.fullmatch(r"(\d+(?:\.\d+)?) *(s|min|h)", str(value))
        seconds = float(match[1]) * UNITS_S[match[2]] if match else value
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not is_number or not 0 < seconds < math.inf:
            raise ValueError(
                f'{info.field_name} (={shown(value)}) must be a time such as 1800, "30 min" or '
                '"2 h", or "never".'
            )
        return float(seconds)

    @field_validator("search", "retrain", mode="before")
    @classmethod
    def _table(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict):
            return value
        return StageResources.build(value, f"resources.{info.field_name}")

    def of(self, kind: str) -> StageResources:
        """What the sweep asks for the stages of a kind."""
        own: StageResources = getattr(self, kind)
        return StageResources(
            cpus=_first(own.cpus, self.cpus_per_trial),
            gpus=_first(own.gpus, self.gpus_per_trial),
            loader_workers=_first(own.loader_workers, self.loader_workers),
        )


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)


Node = dict[str, float]
"""How many CPUs and GPUs a machine has, by `CPU` and `GPU`; a name is missing if it has none."""


@dataclass(frozen=True)
class Share:
    """What one stage gets of a node."""

    cpus: int
    gpus: float
    loader_workers: int = 0

    def fits(self, node: Node) -> int:
        """How many stages a node can run at once. A stage with part of a GPU never uses two."""
        by_cpu = int(node.get("CPU", 0) // self.cpus)
        if not self.gpus:
            return by_cpu
        by_gpu = int(node.get("GPU", 0)) * int(1 / self.gpus)
        return min(by_cpu, by_gpu)


QUICK_SHARE = Share(cpus=1, gpus=0)
"""What a stage of another kind gets: it runs in the process that plans."""


def stage_shares(resources: Resources, nodes: list[Node]) -> dict[str, Share]:
    """What a stage gets of the CPUs and GPUs of a node, by kind: those of `TRAINING_KINDS`.

    Raises:
        ClusterError: If it asks for more than any node has: a stage runs on one node.
    """
    return {kind: _share(kind, resources.of(kind), nodes) for kind in TRAINING_KINDS}


def _share(kind: str, wanted: StageResources, nodes: list[Node]) -> Share:
    gpus, cpus = wanted.gpus, wanted.cpus or 1
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0.0
    workers = wanted.loader_workers
    if workers is None:
        workers = cpus if gpus else 0
    share = Share(cpus, gpus, workers)
    if not any(share.fits(node) for node in nodes):
        offers = "; ".join(f"{n.get('CPU', 0):g} CPU, {n.get('GPU', 0):g} GPU" for n in nodes)
        raise ClusterError(
            f"a {kind} asks for {share.cpus} CPU (resources.cpus_per_trial or "
            f"resources.{kind}.cpus) and {share.gpus:g} GPU (resources.gpus_per_trial or "
            f"resources.{kind}.gpus), but no machine has both ({offers}). "
            "Lower them, or join a larger cluster: `fairdarts sweep run --address`."
        )
    return share


@dataclass
class Room:
    """What fits beside the stages that run.

    Ray decides on which node a stage runs. Here only so many are handed out that all of them can
    start: so a stage that becomes ready later and is more urgent finds no other before it.
    """

    nodes: list[Node]
    shares: dict[str, Share]
    max_concurrent: int | None = None

    @property
    def at_once(self) -> dict[str, int]:
        """How many stages of each kind run at once, if no others do."""
        fits = {kind: sum(map(share.fits, self.nodes)) for kind, share in self.shares.items()}
        return {kind: min(n, self.max_concurrent or n) for kind, n in fits.items()}

    def kinds(self, running: Mapping[str, int]) -> list[str]:
        """Kinds of which one more stage fits.

        Args:
            running: How many stages run now, by kind.
        """
        total = sum(running.values())
        if total and total >= (self.max_concurrent or total + 1):
            return []
        at_once = self.at_once
        return [
            kind
            for kind, share in self.shares.items()
            # Without a node left, one stage waits in Ray's queue for a new one.
            if not total
            or (
                running.get(kind, 0) < at_once[kind]
                and self._used("cpus", running) + share.cpus <= self._offered("CPU")
                and self._used("gpus", running) + share.gpus <= self._offered("GPU") + EPSILON
            )
        ]

    def _used(self, unit: str, running: Mapping[str, int]) -> float:
        return sum(n * float(getattr(self.shares[kind], unit)) for kind, n in running.items())

    def _offered(self, unit: str) -> float:
        return sum(node.get(unit, 0) for node in self.nodes)


EPSILON = 1e-6
"""Ten times 0.1 GPU are one GPU."""


def this_machine() -> Node:
    """CPUs and GPUs of this machine, counted without Ray or torch: importing them takes seconds."""
    return {"CPU": float(num_cpus()), "GPU": float(len(gpu_names()))}


def gpu_names() -> list[str]:
    """The GPUs that this process may use, each as `CUDA_VISIBLE_DEVICES` names it."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]
    # CUDA reads the list up to the first invalid index, such as -1; the GPUs after it are not
    # visible.
    names = [name.strip() for name in visible.split(",")]
    return list(itertools.takewhile(lambda name: name and name[0] != "-", names))


def gpu_with_room(used: Mapping[str, float], gpus: float) -> str | None:
    """The GPU that has the most left, or None if that is too little.

    Args:
        used: How much of each GPU is in use.
        gpus: How much a stage needs of one GPU.
    """
    emptiest = min(used, key=lambda gpu: used[gpu], default=None)
    fits = emptiest is not None and used[emptiest] + gpus <= 1 + EPSILON
    return emptiest if fits else None


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
