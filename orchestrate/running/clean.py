"""What a finished sweep no longer needs: the checkpoints of stages that are done."""

from collections.abc import Iterator
from pathlib import Path

from orchestrate.planning.plan import TrialSpec
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import stage_state
from orchestrate.statuses import Status
from results.store.store import Store


def needless_checkpoints(
    store: Store, trials: list[TrialSpec], keep_weights: bool
) -> Iterator[Path]:
    """Files of checkpoints that no run will read again, each once.

    A stage that is not done keeps its checkpoints: it continues from them. Rows, logs and marks are
    never among the files.

    Args:
        store: Where the trials are.
        trials: Whose checkpoints may go.
        keep_weights: Keep the last checkpoint of every retraining, which has the weights of its
            network.
    """
    stages = {stage.key: stage for trial in trials for stage in trial.stages}
    for stage in stages.values():
        folder = store.stage_dir(stage.kind, stage.key)
        if stage_state(folder).status != Status.DONE:
            continue
        paths = StagePaths(folder)
        kept = {path.stem for path in paths.checkpoint_records()[:1]}
        for path in sorted(paths.checkpoints.glob("a*")):
            if not (keep_weights and stage.kind == "retrain" and path.stem in kept):
                yield path
