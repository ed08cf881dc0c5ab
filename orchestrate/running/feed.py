"""Hands the stages of an agenda to Ray Tune, one by one, as they become ready.

Tune runs one experiment for the whole sweep, in which each trial of Tune's is one stage. Its
processes compute one stage after the other: starting one takes seconds. Ray must be running.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.exceptions import RayActorError, RayTaskError
from ray.tune import (
    Callback,
    FailureConfig,
    PlacementGroupFactory,
    RunConfig,
    Stopper,
    TuneConfig,
    Tuner,
    with_resources,
)
from ray.tune.search import Searcher

from orchestrate.errors import first_line
from orchestrate.planning.plan import StageSpec
from orchestrate.planning.resources import Room, StallAfter
from orchestrate.running.handout import Handout
from orchestrate.running.standby import STANDS_BY, Standbys
from orchestrate.stages import deadline as deadlines
from orchestrate.stages.deadline import start_limit_s
from orchestrate.stages.runtime import Runtime

IN_RAYS_TEXT = ("The actor is dead because", "The actor died because")
"""How the lines of Ray's text begin that say why a process died."""
MAX_REASON = 250


class StageFeed(Searcher):
    """Tells Tune, when it asks for a next trial, which stage that is.

    Tune asks about ten times a second, or once a second while nothing runs. So an answer must take
    next to no time: it does unless a quick stage is computed, here in this process.

    Args:
        handout: Which stages there are.
        standbys: Processes that wait for stages.
    """

    def __init__(self, handout: Handout, standbys: Standbys) -> None:
        super().__init__()
        self._handout = handout
        self.standbys = standbys
        self._keys: dict[str, str] = {}  # id of Tune's trial to key of its stage
        self._ends: list[tuple[str, str]] = []

    def suggest(self, trial_id: str) -> Any:
        """The next stage; None if nothing is ready now, `FINISHED` if nothing is left."""
        if (stage := self._next()) is not None:
            self._keys[trial_id] = stage.key
            self.standbys.make_room(stage.kind)
            return {"stage": json.dumps(asdict(stage)), "kind": stage.kind, "key": stage.key}
        if self._handout.is_finished:
            return Searcher.FINISHED
        if (kind := self.standbys.next()) is not None:
            self.standbys.began(trial_id, kind)
            return {"stage": "", "kind": kind, "key": "standby"}
        return None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Take note that the process of a stage has returned; see `_Deaths` for those that died."""
        if not error:
            self._note_end(trial_id, "")

    def died(self, trial_id: str, reason: str) -> None:
        """Take note that the process of a stage, or one that stood by, has died."""
        self.standbys.died(trial_id)
        self._note_end(trial_id, reason)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune writes it into its own folder, where nobody needs it."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store has all there is to know."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see `save`."""

    def _note_end(self, trial_id: str, reason: str) -> None:
        if (key := self._keys.pop(trial_id, None)) is not None:  # Tune may tell of an end twice.
            self._ends.append((key, reason))

    def _next(self) -> StageSpec | None:
        while self._ends:
            self._handout.ended(*self._ends.pop())
        return self._handout.next()


class _Deaths(Callback):
    """Hears from Tune why a trial has ended in an error, which a `Searcher` is not told."""

    def __init__(self, feed: StageFeed) -> None:
        self._feed = feed

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._feed.died(trial.trial_id, _why(trial.get_error()))


class _Over(Stopper):
    """Tells Tune which trials to end: those that stand by, when they are needed no more."""

    def __init__(self, standbys: Standbys) -> None:
        self._standbys = standbys

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return STANDS_BY in result and self._standbys.is_over(trial_id)

    def stop_all(self) -> bool:
        return False


def run_feed(
    feed: StageFeed,
    root: Path,
    room: Room,
    *,
    run: str,
    umask: int,
    scratch: str,
    fresh_processes: bool,
    stall_after: StallAfter,
) -> None:
    """Compute the stages that a feed hands out, until there are no more.

    Args:
        feed: Which stages.
        root: The store.
        room: What the stages of each kind get.
        run: Id of the run, see `Holder.run`.
        umask: The umask of the user: colleagues may share the store, and Ray's own is strict.
        scratch: Folder for what Tune writes; nobody needs it afterwards.
        fresh_processes: Start a process for each stage.
        stall_after: See `StallWatch`.
    """
    # Ray pickles a local function together with the variables it uses: give it plain values only.
    folder = str(root)
    runtimes = {kind: asdict(Runtime.of(share)) for kind, share in room.shares.items()}
    bundles = {kind: {"CPU": s.cpus, "GPU": s.gpus} for kind, s in room.shares.items()}

    limit_s = start_limit_s(stall_after)
    # A node must not import this package to unpickle a function of it: there nothing would watch.
    cloudpickle.register_pickle_by_value(deadlines)  # type: ignore[no-untyped-call]

    def compute(config: dict[str, Any]) -> dict[str, Any]:
        with deadlines.deadline(limit_s):
            from orchestrate.stages.surroundings import import_timm, own_surroundings

            import_timm()
            from orchestrate.planning.plan import StageSpec
            from orchestrate.running.standby import stand_by
            from orchestrate.running.trial import run_stage
            from orchestrate.stages.runtime import Runtime
            from results.store.store import Store
        if not config["stage"]:
            stand_by()
        stage = StageSpec.from_dict(json.loads(config["stage"]))
        with own_surroundings(umask):
            outcome = run_stage(
                stage,
                Store.open(folder),
                Runtime(**runtimes[stage.kind]),
                run=run,
                stall_after=stall_after,
            )
            return {"outcome": outcome}

    def resources(config: dict[str, Any]) -> PlacementGroupFactory:
        return PlacementGroupFactory([bundles[config["kind"]]])

    Tuner(
        with_resources(compute, resources),
        tune_config=TuneConfig(
            search_alg=feed,
            num_samples=-1,
            reuse_actors=not fresh_processes,
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=RunConfig(
            name="sweep",
            storage_path=scratch,
            verbose=0,
            stop=_Over(feed.standbys),
            callbacks=[_Deaths(feed)],
            failure_config=FailureConfig(max_failures=0),  # The agenda decides on another start.
        ),
    ).fit()


def _name(trial: Any) -> str:
    return f"{trial.config['key']}-{trial.trial_id}"


def _why(error: Exception | None) -> str:
    """Why a process died or could not start, in one line; Ray's own text may have forty."""
    if isinstance(error, RayTaskError):
        cause: Exception = error.cause
        return f"{type(cause).__name__}: {first_line(cause)}"
    if not isinstance(error, RayActorError):
        return first_line(error) if error is not None else "Ray gives no reason"
    lines = [line.strip() for line in str(error).splitlines()]
    # Between them are ids that mean something to Ray alone, and then advice to its developers.
    told = [line for line in lines if line.startswith((*IN_RAYS_TEXT, "pid:", "ip:"))]
    text = ", ".join([line for line in told if line.startswith(IN_RAYS_TEXT)] or lines[:1])
    place = ", ".join(line.replace(":", "") for line in told if not line.startswith(IN_RAYS_TEXT))
    sentence = text.partition(" Some common causes")[0].rstrip(".")[:MAX_REASON]
    return f"{sentence} ({place})" if place else sentence
