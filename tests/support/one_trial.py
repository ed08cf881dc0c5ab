"""A trial in this process, stage by stage, without the agenda of a sweep."""

from collections.abc import Callable

from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.running.trial import run_stage
from orchestrate.stages.genotype_rows import derived_genotype
from orchestrate.stages.runtime import Runtime
from orchestrate.stages.state import stage_state
from orchestrate.stages.twins import first_alike, wait_for
from orchestrate.statuses import Outcome, Status
from results.store.store import Store


def run_trial(
    trial: TrialSpec,
    store: Store,
    runtime: Runtime,
    on_epoch: Callable[[], None] = lambda: None,
) -> Outcome:
    """Bring a trial to its end, or as far as it gets.

    A failure is recorded in the store and not raised, so that other trials go on.

    Args:
        trial: The chain of stages.
        store: Where everything is read and written.
        runtime: Device and threads.
        on_epoch: Called after the row and the checkpoint of every epoch are written.
    Returns:
        `OK` if all stages are done, else the outcome of the first stage that is not.
    """
    for stage in trial.stages:
        outcome = _finish_stage(stage, store, runtime, on_epoch)
        if outcome != Outcome.OK:
            return outcome
    return Outcome.OK


def _finish_stage(
    stage: StageSpec, store: Store, runtime: Runtime, on_epoch: Callable[[], None]
) -> Outcome:
    """Compute a stage unless it is done, and return its outcome; see `run_trial`."""
    state = stage_state(store.stage_dir(stage.kind, stage.key))
    if state.status == Status.DONE:
        return Outcome(state.outcome)
    if stage.kind == "retrain" and (genotype := derived_genotype(stage, store)):
        # Another trial's retrain stage may train the same genotype in the same way (see `twins`).
        # Finish that one first, whatever trial it belongs to: then `run_stage` copies its rows.
        first = first_alike(stage, genotype, store)
        if first != stage and _finish_stage(first, store, runtime, on_epoch) == Outcome.HELD:
            wait_for(first, stage, store)
            return Outcome.HELD
    return run_stage(stage, store, runtime, on_epoch)
