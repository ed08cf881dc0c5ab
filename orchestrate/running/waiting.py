"""Tells the user for whom a run waits: who computes the stage, where, since when, until when."""

from collections.abc import Callable
from datetime import UTC, datetime

from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import StageState
from results.store.holder import STALE_S
from results.store.store import Store


class Waiting:
    """Says one sentence for every stage that another run turns out to compute.

    Args:
        store: Where the stages are.
        trials: The plan.
        say: Takes a sentence.
    """

    def __init__(self, store: Store, trials: list[TrialSpec], say: Callable[[str], None]) -> None:
        self._store = store
        self._labels: dict[str, str] = {}
        for trial in trials:
            for stage in trial.stages:
                self._labels.setdefault(stage.key, trial.label)
        self._say = say
        self._said: set[tuple[str, str]] = set()

    def tell(self, held: list[tuple[StageSpec, StageState]]) -> None:
        """Tell of what is held by other runs, unless that was told before."""
        new = [(s, state) for s, state in held if (s.key, state.holder) not in self._said]
        self._said |= {(stage.key, state.holder) for stage, state in new}
        if not new:
            return
        stage, state = new[0]
        others = f" It, or others, also compute {len(new) - 1} more." if new[1:] else ""
        self._say(
            f"{self._labels[stage.key]}: {stage.kind} is computed by another run "
            f"({state.holder}, since {self._since(stage, state)}). This run goes on with what is "
            "left, and takes the stage over if that process ends, or shows no sign of life for "
            f"{STALE_S / 60:.0f} minutes.{others}"
        )

    def _since(self, stage: StageSpec, state: StageState) -> str:
        paths = StagePaths(self._store.stage_dir(stage.kind, stage.key))
        try:
            began_s = paths.attempt(state.attempt).lease.stat().st_mtime
        except FileNotFoundError:  # It waits for a twin.
            return "a moment ago"
        return datetime.fromtimestamp(began_s, UTC).strftime("%H:%M:%S UTC")
