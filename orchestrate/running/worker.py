"""A process that computes stages for a driver on the same machine, one after the other.

It imports little until it has read its surroundings, so that whatever goes wrong after that is in
the file to which its output goes.
"""

import json
import os
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate.stages.deadline import deadline, start_limit_s

if TYPE_CHECKING:
    from orchestrate.planning.resources import StallAfter


@dataclass(frozen=True)
class Place:
    """Where and for whom a process computes."""

    root: str
    """The store."""
    run: str
    """See `Holder.run`."""
    umask: int
    """Of the driver."""
    stall_after: "StallAfter"
    """See `StallWatch`."""
    output: str = ""
    """File for what is printed: on the terminal it would come between the lines of the driver."""
    gpu: str = ""
    """The one GPU to be seen, as `CUDA_VISIBLE_DEVICES` names it; "": as the driver sees them."""


def work(jobs: Connection, place: Place) -> None:
    """Compute the stages that come through a pipe, until it is closed.

    Args:
        jobs: Gives stage and runtime as JSON; takes the outcome.
        place: Where and for whom.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # How a driver ends its processes.
    with Path(place.output).open("ab", buffering=0) as file:
        Path(place.output).unlink()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    if place.gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = place.gpu
    with suppress(KeyboardInterrupt):  # What it computed has been given back.
        _compute(jobs, place)


def _compute(jobs: Connection, place: Place) -> None:
    with deadline(start_limit_s(place.stall_after)):
        from orchestrate.stages.surroundings import import_timm, own_surroundings

        import_timm()
        from orchestrate.planning.plan import StageSpec
        from orchestrate.running.trial import run_stage
        from orchestrate.stages.runtime import Runtime
        from results.store.store import Store

    while True:
        try:
            job = json.loads(jobs.recv_bytes())
        except EOFError:
            return
        with own_surroundings(place.umask):
            stage, runtime = StageSpec.from_dict(job["stage"]), Runtime(**job["runtime"])
            store = Store.open(place.root)
            outcome = run_stage(stage, store, runtime, run=place.run, stall_after=place.stall_after)
        jobs.send_bytes(outcome.encode())


def _end_with_driver() -> None:
    """End this process as soon as its driver is gone, however that died."""
    driver = parent_process()
    if driver is not None:
        connection.wait([driver.sentinel])
        os._exit(1)
