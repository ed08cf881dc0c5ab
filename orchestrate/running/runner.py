"""Runs a sweep: Ray Tune schedules the trials, and the store says what is left to do.

Trials run in waves. No two trials of a wave need the same unfinished stage, so a stage that many
trials share is computed once, and the others find it done in a later wave. Each wave is a new
experiment of Tune in a temporary folder, and nothing in that folder is kept: after a crash the user
runs the sweep again, and every trial continues from its own files in the store.
"""

import os
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from typing import Any

from orchestrate.planning.plan import TrialSpec
from orchestrate.planning.resources import Share, this_machine, trial_share
from orchestrate.planning.submission import Submission
from orchestrate.running.cluster import cluster, ray_faults
from orchestrate.running.status import TrialStatus, sweep_status
from orchestrate.running.trial import record_crash, run_trial
from orchestrate.stages.holder import STALE_S
from orchestrate.stages.runtime import Runtime
from orchestrate.statuses import Outcome, Status
from results.store.store import Store

MAX_RESTARTS = 4
"""How many times Tune restarts a trial in one wave when its process or node died. A death is not a
failed attempt."""
MAX_WAVES = 5
"""In how many waves of one run a trial may start. Usually one is enough; the limit ends a run with
a trial that neither finishes nor fails."""
POLL_S = 2.0
"""How often to look whether a stage that another process computes has come to its end."""


def run_sweep(
    store: Store, submission: Submission, *, address: str | None = None, retry_failed: bool = False
) -> list[TrialStatus]:
    """Bring every trial of a submission as far as it gets, on Ray.

    Finished stages are skipped, and unfinished ones continue. If another run computes a stage that
    a trial needs, this run waits for it.

    Args:
        store: Where results are.
        submission: What to run.
        address: Head of a cluster to join; None: start Ray here.
        retry_failed: Try failed trials once more, if they have attempts left.
    Returns:
        The status of every trial at the end.
    Raises:
        ClusterError: If Ray cannot be started or joined, or no node is large enough for a trial.
    """
    tries: Counter[str] = Counter()  # in how many waves a trial was, by trial id
    # Starting Ray takes seconds: do not start it for a sweep that is already finished.
    if not (_to_run(store, submission, tries, retry_failed) or _held_elsewhere(store, submission)):
        return sweep_status(store, submission.trials)
    with cluster(address) as nodes:
        share = trial_share(submission.resources, nodes)
        while True:
            wave = _to_run(store, submission, tries, retry_failed)
            if wave:
                tries.update(trial.trial_id for trial in wave)
                _run_wave(store, wave, share, submission.resources.max_concurrent)
            elif _held_elsewhere(store, submission):
                time.sleep(POLL_S)
            else:
                return sweep_status(store, submission.trials)


def run_here(
    store: Store, submission: Submission, *, retry_failed: bool = False
) -> list[TrialStatus]:
    """Do the same as `run_sweep` in this process, one trial after the other, without Ray.

    It does not wait for stages that another process computes.
    """
    tries: Counter[str] = Counter()
    share = trial_share(submission.resources, [this_machine()])
    while wave := _to_run(store, submission, tries, retry_failed):
        tries.update(trial.trial_id for trial in wave)
        for trial in wave:
            run_trial(trial, store, _runtime(share))
    return sweep_status(store, submission.trials)


def _to_run(
    store: Store, submission: Submission, tries: Counter[str], retry_failed: bool
) -> list[TrialSpec]:
    """The next wave: the trials to start now. No two of them need the same unfinished stage.

    Args:
        store: Where results are.
        submission: Its trials, and how many attempts a stage has.
        tries: In how many waves each trial was, by id.
        retry_failed: See `run_sweep`; a failed trial is tried once in a run.
    """
    claimed: set[str] = set()  # keys of stages that a trial of this wave, or another run, computes
    wave = []
    for status in sweep_status(store, submission.trials):
        unfinished = [stage.key for stage in status.remaining]
        if status.status == Status.RUNNING:
            claimed.update(unfinished)
        if not claimed.isdisjoint(unfinished):
            continue
        tried = tries[status.trial.trial_id]
        if status.status == Status.FAILED:
            has_attempts = status.state.num_failures < submission.resources.max_attempts
            wanted = retry_failed and has_attempts and not tried
        else:
            # A lost stage with a reason met a full disk: another try needs room first.
            most = 1 if status.state.reason else MAX_WAVES
            wanted = status.status in (Status.PENDING, Status.LOST) and tried < most
        if wanted:
            claimed.update(unfinished)
            wave.append(status.trial)
    return wave


def _held_elsewhere(store: Store, submission: Submission) -> bool:
    return any(s.status == Status.RUNNING for s in sweep_status(store, submission.trials))


def _run_wave(
    store: Store, trials: list[TrialSpec], share: Share, max_concurrent: int | None
) -> None:
    from ray import tune

    # Ray pickles a local function together with the variables it uses: give it plain values only.
    root, runtime, umask = str(store.root), asdict(_runtime(share)), _umask()

    def trainable(config: dict[str, Any]) -> dict[str, Any]:
        # Use the umask of the user, because colleagues may share the store. The worker has another
        # one, such as the strict one that `cluster` sets for Ray's logs.
        os.umask(umask)
        trial = TrialSpec.from_dict(config["trial"])
        # After the death of a node Tune restarts the trial on another one at once. There the
        # attempt of the dead process seems alive until its heartbeat is stale: wait that long.
        deadline = time.monotonic() + STALE_S + POLL_S
        outcome = run_trial(trial, Store.open(root), Runtime(**runtime))
        while outcome == Outcome.HELD and time.monotonic() < deadline:
            time.sleep(POLL_S)
            outcome = run_trial(trial, Store.open(root), Runtime(**runtime))
        return {"outcome": outcome}

    with ray_faults(), tempfile.TemporaryDirectory(prefix="fairdarts-tune-") as scratch:
        grid = tune.Tuner(
            tune.with_resources(trainable, {"cpu": share.cpus, "gpu": share.gpus}),
            param_space={"trial": tune.grid_search([asdict(trial) for trial in trials])},
            tune_config=tune.TuneConfig(
                max_concurrent_trials=max_concurrent,
                reuse_actors=False,  # One process for each trial: a crash ends no other trial.
                trial_name_creator=_trial_name,
                trial_dirname_creator=_trial_name,
            ),
            run_config=tune.RunConfig(
                name="wave",
                storage_path=scratch,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=MAX_RESTARTS),
            ),
        ).fit()
    # `run_trial` records the failures of stages itself and does not raise them. So an error here
    # comes from outside a stage: in most cases the process died more often than Tune restarts it.
    for index in range(len(grid)):
        result = grid[index]
        if result.error is not None and result.config is not None:
            trial = TrialSpec.from_dict(result.config["trial"])
            record_crash(trial, store, result.error)


def _umask() -> int:
    """The umask of this process. The only way to read it is to set it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _runtime(share: Share) -> Runtime:
    device = "cuda" if share.gpus else "cpu"
    return Runtime(device, num_threads=share.cpus, loader_workers=share.loader_workers)


def _trial_name(trial: Any) -> str:
    spec = TrialSpec.from_dict(trial.config["trial"])
    return spec.trial_id
