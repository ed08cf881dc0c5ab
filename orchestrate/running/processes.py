"""Computes the stages of a handout in processes of this machine, without Ray.

A process computes one stage after the other: starting one takes seconds. It has at most one GPU.
If it dies, the agenda decides whether its stage starts again. If the driver dies, so do they.
"""

import json
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from multiprocessing import connection, resource_tracker
from pathlib import Path

from orchestrate.planning.plan import StageSpec
from orchestrate.planning.resources import Share, gpu_with_room
from orchestrate.running.handout import POLL_S, Handout
from orchestrate.running.worker import Place, work
from orchestrate.stages.runtime import Runtime
from results.text import clean_text

SPAWN = multiprocessing.get_context("spawn")
"""A fork would copy torch's threads half."""
MAX_LINE_BYTES = 250
END_WITHIN_S = 5.0
"""A process that was told to end gives its stage back in less; then it is killed."""


def run_processes(
    handout: Handout,
    shares: dict[str, Share],
    gpus: list[str],
    place: Place,
    fresh_processes: bool,
) -> None:
    """Compute the stages of a handout until there are no more.

    Args:
        handout: Which stages.
        shares: What the stages of each kind get.
        gpus: The GPUs of this machine, see `gpu_names`.
        place: Where and for whom to compute; its `output` and `gpu` are filled in.
        fresh_processes: Start a process for each stage.
    """
    crew = _Crew(shares, gpus, place, fresh_processes)
    try:
        while True:
            while (stage := handout.next(crew.has_place)) is not None:
                crew.compute(stage)
            if handout.is_finished:
                return
            for key, death in crew.ends(POLL_S):
                handout.ended(key, death)
    finally:
        crew.dismiss()


class _Worker:
    """A process, and the stage that it computes."""

    def __init__(self, place: Place, gpu: str) -> None:
        self.gpu = gpu
        self.stage: StageSpec | None = None
        self.jobs, theirs = SPAWN.Pipe()
        # The process unlinks the file when it has opened it: a killed run leaves none behind.
        self._output = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed in `end`
            prefix="fairdarts-", delete=False
        )
        place = replace(place, gpu=gpu, output=self._output.name)
        # Not a daemon: those may not start processes that decode images.
        self.process = SPAWN.Process(target=work, args=(theirs, place))
        with _blocked(signal.SIGINT, signal.SIGHUP):
            self.process.start()
        theirs.close()

    def compute(self, stage: StageSpec, runtime: Runtime) -> None:
        """Start with a stage, as soon as the process is ready."""
        self.stage = stage
        job = {"stage": asdict(stage), "runtime": asdict(runtime)}
        with suppress(OSError):  # It is dead, and `death` says so.
            self.jobs.send_bytes(json.dumps(job).encode())

    def has_answered(self) -> bool:
        """Whether the stage has come to an end, without waiting."""
        try:
            return self.jobs.poll() and bool(self.jobs.recv_bytes())
        except (EOFError, OSError):
            return False

    def death(self) -> str:
        """Why the process is gone, "" if it lives."""
        code = self.process.exitcode
        if code is None:
            return ""
        if code == -signal.SIGKILL:  # As by the kernel when memory runs out.
            return "its process was killed (SIGKILL)"
        how = f"died of {_signal_name(-code)}" if code < 0 else f"ended with code {code}"
        said = self._last_line()
        return f"its process {how}: {said}" if said else f"its process {how}"

    def end(self, deadline: float) -> None:
        """Wait for the end of a process that was told to end; kill it when it is time."""
        self.process.join(max(0.0, deadline - time.monotonic()))
        self.process.kill()
        self.process.join()
        self.jobs.close()
        self.process.close()
        self._output.close()
        Path(self._output.name).unlink(missing_ok=True)

    def _last_line(self) -> str:
        """The last line that it printed: of an error that nothing caught, its text."""
        lines = self._output.read().decode(errors="replace").splitlines()
        return clean_text(lines[-1], MAX_LINE_BYTES) if lines else ""


class _Crew:
    """The processes of a run: those that compute, and those that wait for more."""

    def __init__(
        self, shares: dict[str, Share], gpus: list[str], place: Place, fresh_processes: bool
    ) -> None:
        self._shares = shares
        self._gpus = gpus
        self._place = place
        self._fresh = fresh_processes
        self._busy: list[_Worker] = []
        self._idle: list[_Worker] = []

    def has_place(self, kind: str) -> bool:
        """Whether a stage of that kind needs no GPU, or there is one with enough left."""
        return self._gpu_for(kind) is not None

    def compute(self, stage: StageSpec) -> None:
        """Give a stage to a process; `has_place` says that there is one."""
        share, gpu = self._shares[stage.kind], self._gpu_for(stage.kind) or ""
        worker = self._idle_one(gpu) or _Worker(self._place, gpu)
        self._busy.append(worker)
        worker.compute(stage, Runtime.of(share))

    def ends(self, timeout_s: float) -> list[tuple[str, str]]:
        """Wait until a stage ends: the keys of those that did, each with why its process died."""
        signs = [sign for one in self._busy for sign in (one.jobs, one.process.sentinel)]
        connection.wait(signs, timeout_s)
        return [end for worker in list(self._busy) if (end := self._end_of(worker)) is not None]

    def dismiss(self) -> None:
        """End all processes; those that compute give their stages back."""
        for worker in self._idle:
            worker.jobs.close()
        for worker in self._busy:
            worker.process.terminate()
        deadline = time.monotonic() + END_WITHIN_S
        for worker in (*self._idle, *self._busy):
            worker.end(deadline)

    def _gpu_for(self, kind: str) -> str | None:
        """Where a stage of that kind has a place; "" if it needs no GPU, None if it has none."""
        wanted = self._shares[kind].gpus
        used = {gpu: self._used(gpu) for gpu in self._gpus}
        return gpu_with_room(used, wanted) if wanted else ""

    def _used(self, gpu: str) -> float:
        stages = [one.stage for one in self._busy if one.gpu == gpu and one.stage]
        return sum(self._shares[stage.kind].gpus for stage in stages)

    def _idle_one(self, gpu: str) -> _Worker | None:
        for worker in self._idle:
            if worker.gpu == gpu and worker.process.is_alive():
                self._idle.remove(worker)
                return worker
        return None

    def _end_of(self, worker: _Worker) -> tuple[str, str] | None:
        """Key and death of what a process computes, if that has come to an end."""
        has_answered = worker.has_answered()
        death = "" if has_answered else worker.death()
        if not (has_answered or death) or worker.stage is None:
            return None
        self._busy.remove(worker)
        if has_answered and not self._fresh:
            self._idle.append(worker)
        else:
            worker.jobs.close()
            worker.end(time.monotonic() + END_WITHIN_S)
        return worker.stage.key, death


@contextmanager
def _blocked(*signals: signal.Signals) -> Iterator[None]:
    """Inside, started processes never hear these signals, and this one hears them afterwards.

    A terminal sends Ctrl-C to the processes of a run, too, but the driver ends them.
    """
    resource_tracker.ensure_running()  # Else `start` does so, and lets SIGINT through again.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # Of real time: they have numbers only.
        return f"signal {number}"
