"""The first step of a search, after our kernels have been compiled: libraries choose theirs.

The parts that follow find what is compiled on disk.
"""

import multiprocessing
import time
from multiprocessing.connection import Connection

import torch

from benchmarks.gpu.compiling import compile_ahead
from benchmarks.gpu.readings import Reading, Report, Setup
from benchmarks.gpu.steps import LABELS, ours, ready
from benchmarks.search_speed import config_of
from benchmarks.timing import synchronise
from fairdarts.training.precision import float32_products
from fairdarts.vocabulary import Precision


def measure(setup: Setup, report: Report) -> None:
    """Report the seconds of compiling, and those of a step in each precision, all at once."""
    compile_ahead(setup, report, tuple(LABELS))
    context = multiprocessing.get_context("fork")  # nothing has touched the device yet
    receivers = {}
    for precision in LABELS:
        receivers[precision], sender = context.Pipe(duplex=False)
        context.Process(target=_first_step, args=(setup, precision, sender), daemon=True).start()
        sender.close()
    for precision, receiver in receivers.items():
        what = f"first step of ours, {LABELS[precision]}, all precisions at once"
        try:
            report(Reading(what, receiver.recv(), "s"))
        except EOFError:
            report(Reading(what, note="failed, see the log"))


def _first_step(setup: Setup, precision: Precision, sender: Connection) -> None:
    started = time.perf_counter()
    device, sizes = torch.device(setup.device), setup.sizes
    config = config_of(sizes.batch_size, precision=precision, cuda_graph=False, **sizes.search)
    with float32_products(precision):
        ready(ours(config, device), config, device, sizes.image_size)()
        synchronise(device)
    sender.send(time.perf_counter() - started)
