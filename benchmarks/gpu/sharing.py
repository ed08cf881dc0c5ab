"""One, two and four searches that share the device, a process each, as Ray packs them.

First as processes share a GPU by themselves, in turn; then under MPS, if it can be had.
"""

import multiprocessing
import os
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import torch

from benchmarks.gpu.mps import Mps, NoMps, mps
from benchmarks.gpu.readings import Reading, Report, Setup
from benchmarks.gpu.steps import ours, ready
from benchmarks.search_speed import config_of
from benchmarks.timing import synchronise
from fairdarts.training.precision import float32_products


def measure(setup: Setup, report: Report) -> None:
    """Report images a second of all of them together."""
    alone = _measure_numbers(setup, report)
    if setup.device != "cuda":
        return
    try:
        with mps() as daemon:
            _measure_numbers(setup, report, alone, daemon)
    except (NoMps, RuntimeError) as error:
        report(Reading("searches under MPS", note=str(error)))


def _measure_numbers(
    setup: Setup, report: Report, alone: float | None = None, daemon: Mps | None = None
) -> float | None:
    """Images a second of the first number of searches, which is one."""
    first: float | None = None
    for num_searches in setup.sizes.searches:
        seconds = together(setup, num_searches, daemon.environment if daemon else {})
        if daemon and not daemon.has_served():
            raise NoMps("the daemon runs, but the searches did not come to it")
        num_steps = setup.sizes.shared_steps
        num_images = num_searches * num_steps * setup.sizes.batch_size
        rate = num_images / max(seconds)
        first = first or rate
        note = f"{1e3 * max(seconds) / num_steps:.1f} ms a step of each"
        if alone or rate != first:
            note += f", {rate / (alone or first):.2f} times what one does by itself"
        what = "1 search" if num_searches == 1 else f"{num_searches} searches at once"
        report(Reading(f"{what}, MPS" if daemon else what, rate, "images/s", note))
    return first


def together(setup: Setup, num_searches: int, environment: dict[str, str]) -> list[float]:
    """Seconds that each of some searches took for its steps, all started at the same time."""
    # Forked: this process has not touched the device, and has imported everything.
    context = multiprocessing.get_context("fork")
    start = context.Barrier(num_searches)
    pipes = [context.Pipe(duplex=False) for _ in range(num_searches)]
    processes = [
        context.Process(target=_search, args=(setup, environment, start, sender))
        for _, sender in pipes
    ]
    for process in processes:
        process.start()
    for _, sender in pipes:
        sender.close()
    try:
        return [float(receiver.recv()) for receiver, _ in pipes]
    except EOFError:
        raise RuntimeError(f"one of {num_searches} searches failed, see the log") from None
    finally:
        for process in processes:
            process.kill()
            process.join()


def _search(setup: Setup, environment: dict[str, str], start: Barrier, sender: Connection) -> None:
    os.environ.update(environment)  # CUDA reads it when this process first touches the device
    device, sizes = torch.device(setup.device), setup.sizes
    config = config_of(sizes.batch_size, cuda_graph=device.type == "cuda", **sizes.search)
    try:
        with float32_products(config.precision):
            step = ready(ours(config, device), config, device, sizes.image_size)
            for _ in range(sizes.warm_ups):
                step()
            synchronise(device)
            start.wait()
            started = time.perf_counter()
            for _ in range(sizes.shared_steps):
                step()
            synchronise(device)
            sender.send(time.perf_counter() - started)
    except BaseException:
        start.abort()  # the others would wait for it for ever
        raise
