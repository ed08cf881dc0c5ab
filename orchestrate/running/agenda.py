"""Which stages of a plan are ready, which of them is the most urgent, and what waits for what.

Ray is not needed here: `feed` hands what this list says to Ray. All states are read from the store.
A stage is ready once the stage before it is done. What was interrupted goes before what has not
begun; then what has the longest way to the end of its trial goes first.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.running.durations import Durations
from orchestrate.running.trial import record_crash
from orchestrate.stages.genotype_rows import derived_genotype
from orchestrate.stages.lease import give_back
from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import StageState, sealed_state, stage_state
from orchestrate.stages.twins import first_alike, training_key, wait_for
from orchestrate.statuses import Outcome, Status
from results.statuses import FailureKind
from results.store.files import write_json
from results.store.layout import STAGE_KINDS
from results.store.store import Store

QUICK = ("sample", "given", "derive")
"""Kinds of stages that take milliseconds. They are not worth a process of their own."""
MAX_RESTARTS = 4
"""How often a stage starts again within one run without a new epoch in between."""


@dataclass(frozen=True)
class Task:
    """A stage to compute now."""

    stage: StageSpec
    is_quick: bool
    """Whether it takes milliseconds: it derives or samples, or copies the rows of a twin."""


@dataclass(frozen=True)
class _Mark:
    """How far a stage had come when it was looked at."""

    attempt: int
    checkpoint: str
    """Name of its newest checkpoint, "" if there is none."""

    @classmethod
    def of(cls, paths: StagePaths) -> "_Mark":
        newest = next(iter(paths.checkpoint_records()), None)
        return cls(max(paths.attempt_numbers(), default=0), newest.name if newest else "")


Entry = tuple[bool, float, int, str]
"""What orders ready stages, and the key of one: whether nothing of it has been computed, its way to
the end in seconds (negative), its place in the plan."""


class Agenda:
    """The stages of a plan that one run computes.

    Args:
        store: Where the stages are.
        trials: The plan.
        run: Id of the run, see `Holder.run`.
        max_attempts: How often a stage may fail in all.
        retry: Kinds of failures after which a stage is tried once more, if it has attempts left.
        max_failures: Start nothing more as soon as this many stages have failed; None: go on.
    """

    def __init__(
        self,
        store: Store,
        trials: list[TrialSpec],
        *,
        run: str = "",
        max_attempts: int = 1,
        retry: Collection[str] = (),
        max_failures: int | None = None,
    ) -> None:
        self._store = store
        self._run = run
        self._max_attempts = max_attempts
        self._retry = frozenset(retry)
        self._max_failures = max_failures
        self._is_stopping = False
        self._left_out: set[str] = set()
        self._copied: set[str] = set()  # keys of stages that a twin has waited for
        self._failed: set[str] = set()  # in this run
        self._done: set[str] = set()  # of those that train
        self._stages = {stage.key: stage for trial in trials for stage in trial.stages}
        self._num_training = sum(stage.kind not in QUICK for stage in self._stages.values())
        self._order = {key: number for number, key in enumerate(self._stages)}
        self._children: dict[str, list[str]] = defaultdict(list)
        for stage in self._stages.values():
            if stage.parent in self._stages:
                self._children[stage.parent].append(stage.key)
        self._durations = Durations(store)
        self._sealed = store.manifest().stages
        self._way_s: dict[str, float] = {}
        self._ready: dict[str, list[Entry]] = {kind: [] for kind in STAGE_KINDS}
        self._started: dict[str, _Mark] = {}
        self._held: dict[str, StageState] = {}
        self._twins: dict[str, list[str]] = defaultdict(list)  # key to those that will copy it
        self._trainings: dict[str, str] = {}  # see `training_key`; to the key of the first one
        self._retried: set[str] = set()
        self._given_up: dict[str, str] = {}
        self._restarts: Counter[str] = Counter()
        self._measure_ways()
        for stage in self._stages.values():
            if stage.parent not in self._stages:
                self._consider(stage.key)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left that this run could compute or should wait for."""
        if self._is_stopping:
            return not self._started
        return not (any(self._ready.values()) or self._started or self._held)

    @property
    def held(self) -> list[tuple[StageSpec, StageState]]:
        """Stages that other runs compute at the moment, with who does."""
        return [(self._stages[key], state) for key, state in self._held.items()]

    @property
    def is_left_to_others(self) -> bool:
        """Whether other runs compute all that is left, and need no help with what comes after."""
        if not self._held or self._started or any(self._ready.values()):
            return False
        # Who computes a stage goes on with one of those after it.
        return sum(self._width(key) for key in self._held) == len(self._held)

    @property
    def computed_now(self) -> list[StagePaths]:
        """Stages that this run computes at the moment."""
        return [self._paths(self._stages[key]) for key in self._started]

    @property
    def started(self) -> Counter[str]:
        """How many stages of each kind this run computes at the moment."""
        return Counter(self._stages[key].kind for key in self._started)

    @property
    def num_to_come(self) -> int:
        """How many stages that train are neither done nor being computed by this run."""
        return self._num_training - len(self._done) - len(self._started)

    @property
    def num_failed(self) -> int:
        """How many stages this run has tried in vain."""
        return len(self._failed | self._given_up.keys())

    @property
    def has_failed_too_often(self) -> bool:
        """Whether as many stages have failed as the user allows."""
        return self._max_failures is not None and self.num_failed >= self._max_failures

    def stop(self) -> None:
        """Start nothing more. What is being computed is still waited for."""
        self._is_stopping = True

    def leave_out(self, key: str) -> bool:
        """Do not start a stage any more.

        Returns:
            Whether it is left out: not if another stage of the plan copies its rows.
        """
        if key not in self._copied:
            self._left_out.add(key)
        return key in self._left_out

    def next(self, kinds: Collection[str] = STAGE_KINDS) -> Task | None:
        """Take the most urgent ready stage off the list; call `ended` when it has come to an end.

        Args:
            kinds: Kinds of stages for which there is room.
        """
        if self._is_stopping:
            return None
        while heads := [self._ready[kind][0] for kind in kinds if self._ready[kind]]:
            key = min(heads)[-1]
            heapq.heappop(self._ready[self._stages[key].kind])
            if task := self._task(key):
                self._started[task.stage.key] = _Mark.of(self._paths(task.stage))
                return task
        return None

    def ended(self, key: str, death: str = "") -> None:
        """Take note that a stage, which `next` gave, is no longer being computed.

        Args:
            key: Key of the stage.
            death: Why its process is gone, if it is.
        """
        mark, stage = self._started.pop(key), self._stages[key]
        if death:
            give_back(self._paths(stage).folder, self._run)
        state = self._look(stage)
        if state.status == Status.FAILED:
            self._failed.add(key)
        elif state.status != Status.DONE and state.failure_kind != FailureKind.STOPPED:
            self._note_restart(stage, state, mark, death)
        self._is_stopping |= self.has_failed_too_often
        self._consider(key)
        for twin in self._twins.pop(key, []):
            self._consider(twin)

    def look_again(self) -> None:
        """See what has become of the stages that other runs compute."""
        for key in list(self._held):
            del self._held[key]
            self._consider(key)

    def give_back_all(self) -> None:
        """Release every stage that this run computes, because its processes are about to end."""
        for key in list(self._started):  # Maybe in another thread.
            give_back(self._paths(self._stages[key]).folder, self._run)

    def _consider(self, key: str) -> None:
        """Put a stage where it belongs: ready, held, or done, and then those after it."""
        if key in self._started:
            return
        stage = self._stages[key]
        state = self._look(stage)
        if state.status == Status.DONE:
            if stage.kind not in QUICK:
                self._done.add(key)
            if self._durations.measure(stage):
                self._measure_ways()
            if state.outcome == Outcome.OK:
                for child in self._children[key]:
                    self._consider(child)
        elif state.status == Status.RUNNING:
            if key not in self._left_out:
                self._held[key] = state
        elif self._is_wanted(stage, state):
            self._put(stage, state)

    def _is_wanted(self, stage: StageSpec, state: StageState) -> bool:
        """Whether this run should compute a stage that nobody computes and that is not done."""
        if stage.key in self._given_up or stage.key in self._left_out:
            return False
        if state.status == Status.FAILED:
            has_attempts = state.num_failures < self._max_attempts
            is_worth_it = state.failure_kind in self._retry and stage.key not in self._retried
            return has_attempts and is_worth_it
        return state.status in (Status.PENDING, Status.LOST)

    def _task(self, key: str) -> Task | None:
        """What to compute for a ready stage: itself or its twin; None if it is not ready after all.

        Another run may have taken or finished the stage since it was put on the list.
        """
        stage = self._stages[key]
        state = self._look(stage)
        if key in self._started or not self._is_wanted(stage, state):
            self._consider(key)
            return None
        twin = self._twin_of(stage)
        if twin is None:
            self._note_retry(stage, state)
            return Task(stage, stage.kind in QUICK)
        twin_state = self._look(twin)
        if twin.key in self._given_up:
            self._give_up(stage, f"stage {twin.key} trains the same genotype and was given up")
        elif twin.key in self._started:
            self._wait(stage, twin)
        elif twin_state.status == Status.RUNNING:
            wait_for(twin, stage, self._store)
            self._held[key] = twin_state
        elif twin.key in self._left_out or self._is_wanted(twin, twin_state):
            # It may be of another sweep, or of a trial that the user has stopped.
            self._stages.setdefault(twin.key, twin)
            self._note_retry(twin, twin_state)
            self._wait(stage, twin)
            return Task(twin, is_quick=False)
        else:  # It is done, and copied; or has failed, and so does this stage.
            self._note_retry(stage, state)
            return Task(stage, is_quick=True)
        return None

    def _twin_of(self, stage: StageSpec) -> StageSpec | None:
        """The other stage that trains the same genotype in the same way, if there is one."""
        genotype = derived_genotype(stage, self._store) if stage.kind == "retrain" else None
        if genotype is None:
            return None
        first = first_alike(stage, genotype, self._store)
        if first.key == stage.key:
            # It is put on record only when its process starts: remember who was first until then.
            key = self._trainings.setdefault(training_key(stage, genotype), stage.key)
            first = self._stages[key]
        return None if first.key == stage.key else first

    def _wait(self, stage: StageSpec, twin: StageSpec) -> None:
        self._twins[twin.key].append(stage.key)
        self._copied.add(twin.key)
        self._left_out.discard(twin.key)
        wait_for(twin, stage, self._store)

    def _note_retry(self, stage: StageSpec, state: StageState) -> None:
        if state.status == Status.FAILED:
            self._retried.add(stage.key)

    def _note_restart(self, stage: StageSpec, state: StageState, mark: _Mark, death: str) -> None:
        """Count how often a stage starts without getting on, and give it up if that is too often.

        A death is not a failed attempt. But a process that takes the stage and dies, again and
        again at the same epoch, is a crash of the stage itself.
        """
        now = _Mark.of(self._paths(stage))
        if death and state.starts_again:
            death = state.reason  # Ray does not know why the process ended.
        self._restarts[stage.key] += 1
        if now.checkpoint != mark.checkpoint:
            self._restarts[stage.key] = 0
        elif state.reason and not death:  # Its process said why it stopped, such as a full disk.
            self._given_up[stage.key] = state.reason
        elif self._restarts[stage.key] > MAX_RESTARTS:
            times = f"{MAX_RESTARTS + 1} times in a row without a finished epoch in between"
            if death and now.attempt > mark.attempt:
                self._given_up[stage.key] = death
                record_crash(stage, self._store, f"its process died {times}: {death}")
            else:
                self._give_up(stage, f"it could not be started {times}: {death or 'no reason'}")

    def _give_up(self, stage: StageSpec, reason: str) -> None:
        """Do not compute a stage in this run, and leave word why; another run tries it again."""
        self._given_up[stage.key] = reason
        paths = self._paths(stage)
        newest = max(paths.attempt_numbers(), default=0)
        at = datetime.now(UTC).isoformat()
        write_json(paths.given_up, {"attempt": newest, "reason": reason, "at": at})

    def _put(self, stage: StageSpec, state: StageState) -> None:
        heapq.heappush(self._ready[stage.kind], self._entry(stage.key, state.attempt > 0))

    def _entry(self, key: str, has_begun: bool) -> Entry:
        return not has_begun, -self._way_s.get(key, 0.0), self._order.get(key, 0), key

    def _width(self, key: str) -> int:
        """How many stages can be computed at once after a stage, at the end of its trials."""
        return sum(self._width(child) for child in self._children[key]) or 1

    def _measure_ways(self) -> None:
        """Estimate, for each stage, the seconds from its start to the end of its longest trial."""
        for key, stage in reversed(self._stages.items()):  # A stage comes before its children.
            after = max((self._way_s[child] for child in self._children[key]), default=0.0)
            self._way_s[key] = self._durations.of(stage) + after
        for kind, entries in self._ready.items():
            self._ready[kind] = [self._entry(key, not is_new) for is_new, _, _, key in entries]
            heapq.heapify(self._ready[kind])

    def _look(self, stage: StageSpec) -> StageState:
        if stage.key in self._sealed:  # Of a large sweep thousands are looked at when it starts.
            name = self._store.stage_name(stage.kind, stage.key)
            return sealed_state(name, self._sealed[stage.key])
        return stage_state(self._paths(stage).folder)

    def _paths(self, stage: StageSpec) -> StagePaths:
        return StagePaths(self._store.stage_dir(stage.kind, stage.key))
