"""The parts: what is asked of the machine, the most important first, and how long each may take."""

from dataclasses import dataclass, field

from benchmarks.gpu.readings import Reading


@dataclass
class Part:
    """One question, answered in a process of its own."""

    name: str
    entry: str
    """Module and function that measure it; no import here, so that the command starts at once."""
    limit_s: float
    status: str = "not run"
    """`done`, `failed`, `timed out`, `skipped`, or as yet `not run`."""
    seconds: float = 0.0
    reason: str = ""
    """Why it is not done, in a sentence."""
    readings: list[Reading] = field(default_factory=list)


def all_parts() -> list[Part]:
    """Fresh ones, in the order in which they are measured."""
    return [
        Part("ceilings", "benchmarks.gpu.ceilings:measure", 30),
        Part("first-step", "benchmarks.gpu.first_steps:measure", 100),
        Part("step", "benchmarks.gpu.steps:measure_float32", 60),
        Part("epoch", "benchmarks.gpu.epoch:measure", 60),
        Part("nodes", "benchmarks.gpu.nodes:measure", 40),
        Part("pieces", "benchmarks.gpu.pieces:measure", 60),
        Part("precisions", "benchmarks.gpu.steps:measure_precisions", 50),
        Part("retraining", "benchmarks.gpu.retraining:measure", 50),
        Part("sharing", "benchmarks.gpu.sharing:measure", 75),
        Part("s2", "benchmarks.gpu.layer_steps:measure", 50),
        Part("small-batch", "benchmarks.gpu.steps:measure_small_batch", 40),
        Part("compiled", "benchmarks.gpu.retraining:measure_compiled", 100),
    ]
