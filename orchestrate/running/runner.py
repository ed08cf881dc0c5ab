"""Running a sweep: Ray Tune schedules the trials, the store says what is left of them.

Tune gets one throwaway experiment a wave, no checkpoints and nothing to restore: after any crash
the same sweep is simply run again, and every trial continues from its own files.
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
"""Restarts of a trial whose process or node died, within one wave; they are no failed attempts."""
MAX_WAVES = 5
"""Waves in which one trial may be started, within one run."""
POLL_S = 2.0


def run_sweep(
    store: Store, submission: Submission, *, address: str | None = None, retry_failed: bool = False
) -> list[TrialStatus]:
    """Bring every trial of a submission as far as it gets, on Ray.

    Finished stages are skipped, unfinished ones continue. Trials that need a stage which another
    one computes wait for it; stages that another live process computes are waited for.

    Args:
        store: Where results are.
        submission: What to run.
        address: Head of a cluster to join; None: start Ray here.
        retry_failed: Try failed trials once more, those with attempts left.
    Returns:
        The status of every trial in the end.
    Raises:
        ClusterError: If Ray cannot be started or joined, or no node could hold a trial.
    """
    tries: Counter[str] = Counter()
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
    """The same in this process, one trial after the other, without Ray."""
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
    """Trials to start now: no two of them need the same unfinished stage."""
    claimed: set[str] = set()
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
            wanted = status.status in (Status.PENDING, Status.LOST) and tried < MAX_WAVES
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

    # A local function is sent to workers by value, with no more than it names.
    root, runtime, umask = str(store.root), asdict(_runtime(share)), _umask()

    def trainable(config: dict[str, Any]) -> dict[str, Any]:
        os.umask(umask)  # Ray's own is stricter; colleagues share the store.
        trial = TrialSpec.from_dict(config["trial"])
        # Its stage may be held by its own last attempt, on a node that died a moment ago.
        patience = time.monotonic() + STALE_S + POLL_S
        outcome = run_trial(trial, Store.open(root), Runtime(**runtime))
        while outcome == Outcome.HELD and time.monotonic() < patience:
            time.sleep(POLL_S)
            outcome = run_trial(trial, Store.open(root), Runtime(**runtime))
        return {"outcome": outcome}

    with ray_faults(), tempfile.TemporaryDirectory(prefix="fairdarts-tune-") as scratch:
        grid = tune.Tuner(
            tune.with_resources(trainable, {"cpu": share.cpus, "gpu": share.gpus}),
            param_space={"trial": tune.grid_search([asdict(trial) for trial in trials])},
            tune_config=tune.TuneConfig(
                max_concurrent_trials=max_concurrent,
                reuse_actors=False,  # One process a trial: a crash takes no sibling along.
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
    for index in range(len(grid)):
        result = grid[index]
        if result.error is not None and result.config is not None:
            trial = TrialSpec.from_dict(result.config["trial"])
            record_crash(trial, store, result.error)


def _umask() -> int:
    """This process's umask, which can only be read by setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _runtime(share: Share) -> Runtime:
    device = "cuda" if share.gpus else "cpu"
    return Runtime(device, num_threads=share.cpus, loader_workers=share.loader_workers)


def _trial_name(trial: Any) -> str:
    spec = TrialSpec.from_dict(trial.config["trial"])
    return spec.trial_id
