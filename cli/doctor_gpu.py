"""What `fairdarts doctor --sweep` says of fractions of a GPU."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli.doctor_data import Finding

if TYPE_CHECKING:
    from orchestrate.planning.plan import TrialSpec
    from orchestrate.planning.resources import Node, Share

COMMON_GIB = (16, 24, 40, 80)
"""Memory of GPUs that clusters have."""
AT_MOST = 10
"""More stages on one GPU want more CPUs than a node has for it."""


def shares_here(
    trials: "list[TrialSpec]", shares: "dict[str, Share]", machine: "Node", gpu_bytes: int
) -> Iterator[Finding]:
    """Measure how busy the stages that get a GPU keep it, and say how many should share one."""
    from orchestrate.errors import first_line
    from orchestrate.running.busy import busy_pct
    from orchestrate.running.forecast import gpu_peaks
    from orchestrate.running.fractions import fraction, recommended

    for kind, share in shares.items():
        peaks = gpu_peaks(trials, kind)
        if not share.gpus or not peaks:
            continue
        busy, why_not = None, "the driver does not tell"
        try:
            busy = busy_pct(next(trial for trial in trials if trial.stage(kind)), kind)
        except RuntimeError as error:  # such as torch.OutOfMemoryError: others compute there, too
            why_not = first_line(error)
        most = int(machine["CPU"] // share.cpus // max(1, machine["GPU"]))
        number = recommended(peaks, gpu_bytes, busy, most)
        memory = f"needs {_gib(peaks[0])} of {_gib(gpu_bytes)}"
        if busy is None:
            basis = f"one {memory}; how busy it keeps the GPU is not known ({why_not})"
        else:
            basis = f"one keeps this GPU busy for {busy:.0f} % of the time (measured now), {memory}"
        wanted = fraction(number) if number else "1"
        yield Finding(
            f"{kind} on GPU",
            f"{basis}: {number or 1} at once",
            "" if float(wanted) == share.gpus else f"--set resources.{kind}.gpus={wanted}",
            is_fault=False,
            figures={"busy_pct": busy, "peak_gib": peaks[0] / 2**30, "gpus": float(wanted)},
        )


def shares_elsewhere(trials: "list[TrialSpec]", kinds: list[str]) -> Iterator[Finding]:
    """Say what the memory of common GPUs allows: there is no GPU here to measure on."""
    from orchestrate.running.forecast import gpu_peaks
    from orchestrate.running.fractions import fraction, most_that_fit

    for kind in kinds:
        if not (peaks := gpu_peaks(trials, kind)):
            continue
        many = peaks[:1] * AT_MOST  # even if the sweep has fewer stages
        fits = {gib: most_that_fit(many, gib * 2**30) for gib in COMMON_GIB}
        parts = [f"{fraction(number)} of {gib} GiB" for gib, number in fits.items() if number]
        allowed = ", ".join(parts) or "more than one GPU of 80 GiB has"
        yield Finding(
            f"{kind} on GPU",
            f"needs {_gib(peaks[0])} of its memory, which allows fractions down to {allowed}; how "
            "busy it keeps a GPU can only be measured on one",
            figures={"peak_gib": peaks[0] / 2**30},
        )


def _gib(num_bytes: float) -> str:
    return f"{num_bytes / 2**30:.1f} GiB"
