"""Parts of `benchmarks.gpu` that go wrong, each after a first reading."""

import os
import signal
import subprocess
import time

from benchmarks.gpu.readings import Reading, Report, Setup

FIRST = Reading("first", 1.5, "ms")


def hang(_: Setup, report: Report) -> None:
    """With a process of its own, whose number is a reading."""
    report(FIRST)
    report(Reading("child", subprocess.Popen(["sleep", "600"]).pid))
    time.sleep(600)


def crash(_: Setup, report: Report) -> None:
    report(FIRST)
    os.kill(os.getpid(), signal.SIGSEGV)


def fail(_: Setup, report: Report) -> None:
    report(FIRST)
    print("what libraries print")
    raise RuntimeError("CUDA error: an illegal memory access\nand more lines")


def need_a_package(_: Setup, report: Report) -> None:
    report(FIRST)
    raise ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")


def work(_: Setup, report: Report) -> None:
    report(FIRST)
