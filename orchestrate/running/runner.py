"""Runs a sweep: the agenda says which stages are ready, and Ray or plain processes compute them.

Everything else that they write lies in temporary folders, and nothing in them is kept: after a
crash the user runs the sweep again, and every stage continues from its own files in the store.
"""

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Collection

from orchestrate.planning.resources import (
    QUICK_SHARE,
    Node,
    Room,
    gpu_names,
    stage_shares,
    this_machine,
)
from orchestrate.planning.submission import Submission
from orchestrate.running.agenda import Agenda
from orchestrate.running.backend import Backend
from orchestrate.running.cluster import alive_nodes, cluster, end_on_its_node, ray_faults
from orchestrate.running.drivers import announced
from orchestrate.running.fractions import check_fractions
from orchestrate.running.handout import Handout
from orchestrate.running.preflight import check_nodes
from orchestrate.running.processes import run_processes
from orchestrate.running.sealing import sealing
from orchestrate.running.silences import Silences, end_process
from orchestrate.running.standby import Standbys
from orchestrate.running.status import TrialStatus, sweep_status
from orchestrate.running.stopping import RunEnd, Stopping
from orchestrate.running.trial import run_stage
from orchestrate.running.waiting import Waiting
from orchestrate.running.worker import Place
from orchestrate.stages.nvml import smallest_memory
from orchestrate.stages.runtime import Runtime
from results.store.store import Store


def run_sweep(
    store: Store,
    submission: Submission,
    *,
    backend: Backend = Backend.RAY,
    address: str | None = None,
    retry: Collection[str] = (),
    max_failures: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> RunEnd:
    """Bring every trial of a submission as far as it gets.

    Finished stages are skipped, and unfinished ones continue. While another run computes a stage
    that this one needs, this one does everything else, and then waits.

    Args:
        store: Where results are.
        submission: What to run.
        backend: What starts the processes that compute.
        address: Head of a Ray cluster to join; None: compute on this machine.
        retry: Kinds of failures after which a stage is tried once more, if it has attempts left.
        max_failures: Stop the run as soon as this many stages have failed in it; None: go on.
        say: Takes a sentence for the user, such as whom this run waits for.
    Returns:
        The status of every trial at the end, and why the run ended early if it did.
    Raises:
        ClusterError: If Ray cannot be started or joined, no node is large enough for a stage, or
            a node of the cluster could not compute one, see `preflight`; or if more stages are to
            share a GPU than fit into its memory.
    """
    with announced(store, submission) as driver:
        agenda = Agenda(
            store,
            submission.trials,
            run=driver.run,
            max_attempts=submission.resources.max_attempts,
            retry=retry,
            max_failures=max_failures,
        )
        leave_after = submission.resources.leave_after
        leave_after_s = leave_after if isinstance(leave_after, float) else math.inf
        stopping = Stopping(driver, agenda, say, leave_after_s)
        waiting = Waiting(store, submission.trials, say)

        def look() -> None:
            stopping.look()
            waiting.tell(agenda.held)

        if not agenda.is_finished:  # Else do not start Ray, which takes seconds.
            with sealing(store, say):
                if backend is Backend.PROCESS:
                    _run_on_processes(store, submission, agenda, driver.run, look)
                else:
                    _run_on_ray(store, submission, agenda, driver.run, look, address, say)
        return stopping.end(sweep_status(store, submission.trials))


def _run_on_processes(
    store: Store, submission: Submission, agenda: Agenda, run: str, look: Callable[[], None]
) -> None:
    resources, machine = submission.resources, this_machine()
    room = Room([machine], stage_shares(resources, [machine]), resources.max_concurrent)
    check_fractions(submission.trials, room.shares, _smallest_gpu([machine]))
    silences = Silences(run, end_process)

    def look_at_all() -> None:
        look()
        silences.look(agenda.computed_now)

    handout = Handout(store, agenda, room, look_at_all)
    place = Place(str(store.root), run, _umask(), resources.stall_after)
    try:
        run_processes(handout, room.shares, gpu_names(), place, resources.fresh_process)
    finally:
        agenda.give_back_all()  # What processes could not give back before they were killed.


def _run_on_ray(
    store: Store,
    submission: Submission,
    agenda: Agenda,
    run: str,
    look: Callable[[], None],
    address: str | None,
    say: Callable[[str], None],
) -> None:
    resources = submission.resources
    with (
        tempfile.TemporaryDirectory(prefix="fairdarts-tune-") as scratch,
        cluster(address, lambda: _tidy(agenda, scratch)) as nodes,
        ray_faults(),
    ):
        room = Room(nodes, stage_shares(resources, nodes), resources.max_concurrent)
        # Only now, because Ray reads its settings when it is imported.
        from ray.exceptions import RayError

        from orchestrate.running.feed import StageFeed, run_feed

        gpu_bytes = _smallest_gpu(nodes)
        if address is not None:
            examined = check_nodes(store, submission.trials)
            gpu_bytes = examined.gpu_bytes
            for warning in examined.warnings:
                say(f"warning: {warning}")
        check_fractions(submission.trials, room.shares, gpu_bytes)

        silences = Silences(run, end_on_its_node)

        def look_at_all() -> None:
            look()
            silences.look(agenda.computed_now)
            if address is not None:
                with contextlib.suppress(RayError):  # A busy head may take too long to answer.
                    room.nodes = alive_nodes() or room.nodes

        # On a cluster, others may want an idle slot.
        standbys = Standbys(agenda, room, address is None and not resources.fresh_process)
        try:
            run_feed(
                StageFeed(Handout(store, agenda, room, look_at_all), standbys),
                store.root,
                room,
                run=run,
                umask=_umask(),
                scratch=scratch,
                fresh_processes=resources.fresh_process,
                stall_after=resources.stall_after,
            )
        finally:
            agenda.give_back_all()  # Of an interrupted run: nobody should wait for it.


def _tidy(agenda: Agenda, scratch: str) -> None:
    agenda.give_back_all()
    shutil.rmtree(scratch, ignore_errors=True)


def run_here(
    store: Store, submission: Submission, *, retry: Collection[str] = ()
) -> list[TrialStatus]:
    """Do the same as `run_sweep` in this process, one stage after the other, without Ray.

    It does not wait for stages that another process computes.
    """
    resources = submission.resources
    shares = stage_shares(resources, [this_machine()])
    with announced(store, submission) as driver:
        agenda = Agenda(
            store,
            submission.trials,
            run=driver.run,
            max_attempts=resources.max_attempts,
            retry=retry,
        )
        stopping = Stopping(driver, agenda, lambda line: None)
        while task := agenda.next():
            share = shares.get(task.stage.kind, QUICK_SHARE)
            run_stage(task.stage, store, Runtime.of(share), run=driver.run)
            agenda.ended(task.stage.key)
            stopping.look()
    return sweep_status(store, submission.trials)


def _smallest_gpu(nodes: list[Node]) -> int | None:
    """Memory of the smallest GPU of this machine, the only node."""
    return smallest_memory(int(sum(node.get("GPU", 0) for node in nodes)))


def _umask() -> int:
    """The umask of this process. The only way to read it is to set it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
