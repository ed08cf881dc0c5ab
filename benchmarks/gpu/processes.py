"""A part in a process of its own, which may crash or hang without ending the others.

Processes are forked from a server that has imported torch and never touches the device: importing
it anew for each part would take a good share of the five minutes.
"""

import contextlib
import importlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch

from benchmarks.gpu.parts import Part
from benchmarks.gpu.readings import Reading, Setup, Skipped

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["benchmarks.gpu.steps", "benchmarks.gpu.retraining"])


def run_part(
    part: Part, setup: Setup, limit_s: float, log: Path, on_reading: Callable[[], None]
) -> None:
    """Measure a part, which is changed in place.

    Args:
        part: Gets readings as they come, and in the end its status.
        setup: Where and how much to measure.
        limit_s: When to give it up; what it has reported stays.
        log: What the process prints is appended to it.
        on_reading: Called after every reading.
    """
    started = time.monotonic()
    receiver, sender = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=_measure, args=(part.entry, setup, log, sender))
    process.start()
    sender.close()
    part.status, part.reason = "failed", ""
    try:
        while receiver.poll(max(0.0, started + limit_s - time.monotonic())):
            message = receiver.recv()
            if isinstance(message, Reading):
                part.readings.append(message)
                on_reading()
            else:
                part.status, part.reason = message
                break
        else:
            part.status, part.reason = "timed out", f"not done after {limit_s:.0f} s"
    except EOFError:
        process.join()
        part.reason = f"its process ended with {process.exitcode}, see {log.name}"
    finally:
        _end(process)
        part.seconds = time.monotonic() - started


def _end(process: ForkServerProcess) -> None:
    """With whatever the process has started itself."""
    assert process.pid is not None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # unless it had no group of its own yet
    process.join()


def _measure(entry: str, setup: Setup, log: Path, sender: Connection) -> None:
    os.setsid()
    with log.open("a", encoding="utf-8") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    module, _, function = entry.partition(":")
    torch.set_num_threads(1)
    try:
        measure = getattr(importlib.import_module(module), function)
        measure(setup, sender.send)
    except Skipped as error:
        sender.send(("skipped", str(error)))
    except ModuleNotFoundError as error:
        sender.send(("skipped", f"{error.name} is missing: pip install {error.name}"))
    except Exception as error:  # whatever it is, the next part may work
        traceback.print_exc()
        first_line = str(error).partition("\n")[0][:150]
        sender.send(("failed", f"{type(error).__name__}: {first_line}"))
    else:
        sender.send(("done", ""))
