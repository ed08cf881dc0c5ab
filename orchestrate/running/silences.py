"""Finds processes of this run that show no sign of life, and ends them.

A process that is stopped, or that waits for a file server that is gone, keeps its slot for ever: to
Ray it is alive.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrate.stages.lease import mark_stalled
from orchestrate.stages.paths import StagePaths
from results.store.attempt_files import AttemptPaths
from results.store.holder import Holder, holder_of

LEAST_PAUSE_S = 1.0
SHARE = 0.05
"""Share of its time that a run may spend reading heartbeats: more stages, fewer readings."""


@dataclass
class _Pulse:
    """The heartbeat of a process, as this run has seen it."""

    holder: Holder
    beat: float
    """When it was last touched, by the clock of the file system."""
    silent_s: float = 0.0


class Silences:
    """Watches the heartbeats of the processes of one run.

    How long one is silent is counted by this run, from look to look. A clock that is set, or a
    machine that slept, must not end a process that lives.

    Args:
        run: Id of the run, see `Holder.run`.
        end: Ends a process, on whatever node it is.
    """

    def __init__(self, run: str, end: Callable[[Holder], None]) -> None:
        self._run = run
        self._end = end
        self._pulses: dict[AttemptPaths, _Pulse] = {}
        self._last_look = time.monotonic()
        self._pause_s = LEAST_PAUSE_S

    def look(self, stages: list[StagePaths]) -> None:
        """End the processes that have been silent for too long.

        Args:
            stages: What this run computes now.
        """
        began = time.monotonic()
        passed_s = began - self._last_look
        if passed_s < self._pause_s:
            return
        pulses = {}
        for paths in stages:
            attempt = paths.attempt(max(paths.attempt_numbers(), default=0))
            pulse = self._pulses.get(attempt) or self._new(attempt)
            if pulse is not None:
                pulses[attempt] = pulse
                self._feel(attempt, pulse, min(passed_s, 2 * self._pause_s + LEAST_PAUSE_S))
        self._pulses = pulses
        self._last_look = began
        self._pause_s = max(LEAST_PAUSE_S, (time.monotonic() - began) / SHARE)

    def _new(self, attempt: AttemptPaths) -> _Pulse | None:
        holder = holder_of(attempt)
        return _Pulse(holder, 0.0) if holder is not None and holder.run == self._run else None

    def _feel(self, attempt: AttemptPaths, pulse: _Pulse, passed_s: float) -> None:
        try:
            beat = attempt.heartbeat.stat().st_mtime
        except FileNotFoundError:  # Given back; its process has ended, or will in a moment.
            beat, pulse.silent_s = 0.0, 0.0
        pulse.silent_s = pulse.silent_s + passed_s if beat == pulse.beat else 0.0
        pulse.beat = beat
        if beat and pulse.silent_s > pulse.holder.stale_s:
            reason = f"no sign of life of {pulse.holder.name} for {pulse.silent_s:.0f} s"
            mark_stalled(attempt, f"{reason}: ended by its run")
            self._end(pulse.holder)
            pulse.silent_s = 0.0


def end_process(holder: Holder) -> None:
    """Kill a process, if it is one of this host and container."""
    if holder.is_here:
        with contextlib.suppress(ProcessLookupError):
            os.kill(holder.pid, signal.SIGKILL)
