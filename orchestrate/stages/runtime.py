"""The device and the threads that compute a stage, and the columns that describe them."""

import functools
import json
import os
import platform
import resource
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from orchestrate.planning.resources import Share
from orchestrate.stages import nvml

PACKAGES = ("torch", "torchvision", "timm", "ray", "numpy", "scipy", "fairdarts")
MAX_CHANGES_BYTES = 1_000_000


@dataclass(frozen=True)
class Runtime:
    """Device, number of threads, and number of image-decoding processes of one trial."""

    device: str
    num_threads: int
    loader_workers: int = 0
    num_gpus: float = 0.0
    """1, or the fraction of a GPU that is reserved for it."""

    @classmethod
    def of(cls, share: Share) -> "Runtime":
        """What a stage computes on that gets this share of a node."""
        device = "cuda" if share.gpus else "cpu"
        return cls(device, share.cpus, share.loader_workers, share.gpus)

    def apply(self) -> None:
        """Set the number of threads of this process, and make sure that the device works.

        Raises:
            RuntimeError: If the device is not there.
        """
        torch.set_num_threads(self.num_threads)
        torch.empty(1, device=self.device)  # Fails now instead of after the images are loaded.

    def describe(self) -> dict[str, Any]:
        """Columns of the `attempts` table."""
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "device": self.device_name(),
            "num_gpus": self.num_gpus,
            "num_threads": self.num_threads,
            "versions_json": json.dumps(versions(), sort_keys=True),
        }

    def device_name(self) -> str:
        """The GPU's product name, or `cpu`."""
        if self.device == "cuda" and torch.cuda.is_available():
            return torch.cuda.get_device_name()
        return self.device

    def peak_memory_mib(self) -> float:
        """Highest memory so far, in MiB: of tensors on a GPU, else of the whole process."""
        if self.device == "cuda" and torch.cuda.is_available():
            return float(torch.cuda.max_memory_allocated() / 2**20)
        return peak_of_process() / 2**20

    def gpu_energy_j(self) -> float | None:
        """Energy that the GPU has used so far, for all that compute on it; None on a CPU."""
        return nvml.energy_j() if self.device == "cuda" and torch.cuda.is_available() else None

    def bitwise_key(self) -> str:
        """What must stay the same, so that resuming changes no bit of the result."""
        return f"torch {torch.__version__}, {self.device_name()}, {self.num_threads} threads"


def peak_of_process() -> int:
    """The highest memory of this process since its peak was last reset, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:  # Not Linux.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
    (peak_kib,) = (line.split()[1] for line in lines if line.startswith("VmHWM"))
    return 1024 * int(peak_kib)


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python, the packages that compute, and this project's commit if there is one."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    commit = _commit()
    if commit:
        found["commit"] = commit
    return found


@functools.cache
def uncommitted_changes() -> bytes:
    """What `git diff` says of the checkout that this code is in, at most 1 MB; else nothing."""
    return _git("diff", "--no-ext-diff", "--no-textconv", "HEAD")[:MAX_CHANGES_BYTES]


def _commit() -> str:
    """Commit of the git checkout that this code is in, with "-dirty" if it was edited; else ""."""
    return _git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*").decode().strip()


def _git(*arguments: str) -> bytes:
    """Output of git on the checkout that this code is in; nothing if it is in none."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return b""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, check=False
        )
    except OSError:  # git is not installed.
        return b""
    return done.stdout
