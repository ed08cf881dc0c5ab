"""Ends a process whose stage does not get on, so that another process can continue it.

A process may hang while its heartbeat goes on: it waits for a process that decodes images, or for a
file server that is gone. So a thread here watches its epochs. A process that is stopped as a whole
has no heartbeat either; whoever looks at its lease sees that, see `holder`.
"""

import contextlib
import os
import threading
import time
from types import TracebackType
from typing import Self

import psutil

from orchestrate.errors import Stalled
from orchestrate.planning.resources import NEVER, StallAfter
from orchestrate.stages.deadline import EXIT_CODE, IDLE_SHARE, LEAST_S
from orchestrate.stages.lease import Attempt
from results.statuses import FailureKind
from results.store.holder import BEATS, HEARTBEAT_S

NUM_EPOCHS = 10
"""Unless the user says how long, a stage has stalled after the time of this many of its epochs."""


def beat_s(after: StallAfter) -> float:
    """Seconds between heartbeats, so that a stopped process is noticed in the same time."""
    return HEARTBEAT_S if after is None or after == NEVER else min(HEARTBEAT_S, after / BEATS)


class StallWatch:
    """Watches the epochs of an attempt while the block runs, and ends the process if none comes.

    How long that takes is counted in steps of this thread, and not by a clock: time in which the
    whole process or machine was stopped does not count.

    Args:
        attempt: The attempt. Its mark says why it ended.
        after: Seconds without an epoch; None: `NUM_EPOCHS` times the longest one so far, but at
            least `LEAST_S`. Before there is one to compare with, images may be read for hours; so
            then only time counts in which the process does not compute.
    """

    def __init__(self, attempt: Attempt, after: StallAfter) -> None:
        self._attempt = attempt
        self._after = after
        self._step_s = min(HEARTBEAT_S, (LEAST_S if after in (None, NEVER) else after) / BEATS)
        self._idle_s = 0.0
        self._longest_s: float | None = None
        self._began = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if self._after != NEVER:
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._stop.set()

    def epoch(self) -> None:
        """Take note that an epoch is finished."""
        took_s, self._began = time.monotonic() - self._began, time.monotonic()
        self._longest_s = max(took_s, self._longest_s or 0.0)
        self._idle_s = 0.0

    def _watch(self) -> None:
        last, last_cpu_s = time.monotonic(), _cpu_s()
        while not self._stop.wait(self._step_s):
            now, cpu_s = time.monotonic(), _cpu_s()
            self._idle_s += min(now - last, 2 * self._step_s)
            is_computing = cpu_s - last_cpu_s > IDLE_SHARE * (now - last)
            if self._after is None and self._longest_s is None and is_computing:
                self._idle_s = 0.0
            last, last_cpu_s = now, cpu_s
            if self._idle_s > self._limit_s():
                self._end()

    def _limit_s(self) -> float:
        if isinstance(self._after, float):
            return self._after
        return max(LEAST_S, NUM_EPOCHS * (self._longest_s or 0.0))

    def _end(self) -> None:
        others = "none was finished before"
        if self._longest_s is not None:
            others = f"the longest one took {self._longest_s:.0f} s"
        error = Stalled(f"no epoch for {self._idle_s:.0f} s; {others} (resources.stall_after)")
        try:
            self._attempt.fail(FailureKind.STALLED, error)
        finally:
            # Nothing less ends a process whose main thread hangs in a library or in the system.
            os._exit(EXIT_CODE)


def _cpu_s() -> float:
    """CPU time of this process and its children so far."""
    this = psutil.Process()
    total = 0.0
    for process in [this, *this.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            times = process.cpu_times()
            total += times.user + times.system
    return total
