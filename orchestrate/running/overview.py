"""What goes on in a sweep at the moment, read from the store alone: for `sweep watch`.

Only what can have changed is read again: what is finished stays so, an attempt stays on its node,
and epochs are read of the stages that are being computed.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrate.planning.plan import TrialSpec
from orchestrate.running.drivers import Driver, live_drivers
from orchestrate.running.durations import Durations
from orchestrate.running.status import Progress, TrialStatus, progress, sweep_status
from orchestrate.statuses import Status
from results.errors import DamagedFile
from results.store.attempt_files import AttemptPaths
from results.store.files import parsed
from results.store.holder import Holder
from results.store.store import Store


@dataclass(frozen=True)
class NodeUse:
    """What the stages that a node computes at the moment use of it."""

    host: str
    num_stages: int
    num_gpus: float
    """GPUs that they have reserved, fractions added up."""
    devices: list[str]
    """What they compute on."""
    since: datetime
    """When the one that has run for the longest time was taken."""


@dataclass(frozen=True)
class Overview:
    """A sweep at one moment."""

    statuses: list[TrialStatus]
    drivers: list[Driver]
    """The runs that are alive."""
    nodes: list[NodeUse]
    progress: dict[str, Progress]
    """Of the stages that are being computed, by key."""
    epochs_per_h: float
    """Together, at the mean pace of each so far."""
    left_s: float | None
    """Seconds to the end of the sweep, if it goes on with as many stages at a time; None: nothing
    is computed, or no epoch has been measured."""
    unmeasured: list[str]
    """Kinds of stages of which no epoch has been measured, so that `left_s` leaves them out."""
    failures: list[TrialStatus]
    """Failed trials, each stage once, the last to fail first."""

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to compute."""
        return all(status.finished for status in self.statuses)


class Watcher:
    """Looks at a sweep again and again.

    Args:
        store: Where it is.
        sweep: Its name.
        trials: Its plan.
    """

    def __init__(self, store: Store, sweep: str, trials: list[TrialSpec]) -> None:
        self._store = store
        self._sweep = sweep
        self._trials = trials
        self._finished: dict[str, TrialStatus] = {}
        self._durations = Durations(store)
        self._attempts: dict[Path, _Attempt] = {}

    def look(self) -> Overview:
        """What goes on now."""
        statuses = sweep_status(self._store, self._trials, self._finished)
        by_stage = {status.stage.key: status for status in reversed(statuses)}
        running = [status for status in by_stage.values() if _computes_itself(status)]
        at = {s.stage.key: p for s in running if (p := progress(self._store, s)) is not None}
        self._measure(statuses, running)
        left_s, unmeasured = self._left(statuses, at)
        failed = [status for status in by_stage.values() if status.status == Status.FAILED]
        return Overview(
            statuses=statuses,
            drivers=live_drivers(self._store, self._sweep),
            nodes=self._nodes(running),
            progress=at,
            epochs_per_h=sum(3600 / there.pace_s for there in at.values() if there.pace_s),
            left_s=left_s,
            unmeasured=unmeasured,
            failures=sorted(failed, key=_ended, reverse=True),
        )

    def _measure(self, statuses: list[TrialStatus], running: list[TrialStatus]) -> None:
        """Measure the pace of each kind on one stage, preferably one that is done."""
        for status in statuses:
            for stage in status.trial.stages:
                if stage.key == status.stage.key and not status.finished:
                    break
                if not self._durations.knows(stage):
                    self._durations.measure(stage)
        for status in running:
            self._durations.measure(status.stage)

    def _left(
        self, statuses: list[TrialStatus], at: dict[str, Progress]
    ) -> tuple[float | None, list[str]]:
        """Seconds to the end, and the kinds of stages that are not in it."""
        left: dict[str, float] = {}
        unmeasured: set[str] = set()
        longest_s = 0.0
        for status in statuses:
            if status.finished or status.status == Status.FAILED:
                continue
            stages = status.trial.stages[status.trial.stages.index(status.stage) :]
            for stage in stages:
                if not self._durations.knows(stage):
                    unmeasured.add(stage.kind)
                elif stage.key not in left:
                    there = at.get(stage.key)
                    measured = there.left_s if there else None
                    left[stage.key] = self._durations.of(stage) if measured is None else measured
            longest_s = max(longest_s, sum(left.get(stage.key, 0.0) for stage in stages))
        if not at or not longest_s:
            return None, sorted(unmeasured)
        return max(longest_s, sum(left.values()) / len(at)), sorted(unmeasured)

    def _nodes(self, running: list[TrialStatus]) -> list[NodeUse]:
        by_host = defaultdict(list)
        for status in running:
            attempt = self._attempt(status)
            by_host[attempt.host].append(attempt)
        return [
            NodeUse(
                host=host,
                num_stages=len(attempts),
                num_gpus=sum(attempt.num_gpus for attempt in attempts),
                devices=sorted({attempt.device for attempt in attempts if attempt.device}),
                since=min(attempt.since for attempt in attempts),
            )
            for host, attempts in sorted(by_host.items())
        ]

    def _attempt(self, status: TrialStatus) -> "_Attempt":
        """Where the current attempt at a stage computes, and since when."""
        assert status.state.log is not None
        folder = status.state.log.parent
        known = self._attempts.get(folder)
        if known is not None:
            return known
        lease = AttemptPaths(folder).lease
        holder = parsed(lease, lambda content: Holder(**content))
        host = holder.host if holder else status.state.holder
        row = self._row(status)
        found = _Attempt(host, _written(lease), row.get("device") or "", row.get("num_gpus") or 0.0)
        if row:  # It is written a moment after the lease.
            self._attempts[folder] = found
        return found

    def _row(self, status: TrialStatus) -> dict[str, Any]:
        try:
            rows = self._store.read("attempts", [status.stage.key]).to_pylist()
        except DamagedFile:
            return {}
        return next((row for row in rows if row["attempt"] == status.state.attempt), {})


@dataclass(frozen=True)
class _Attempt:
    """Where an attempt computes."""

    host: str
    since: datetime
    device: str
    num_gpus: float


def _computes_itself(status: TrialStatus) -> bool:
    """Whether a trial's stage is being computed; one that waits for its twin is not."""
    log = status.state.log
    return (
        status.status == Status.RUNNING
        and log is not None
        and log.parents[2].name == status.stage.key
    )


def _ended(status: TrialStatus) -> datetime:
    """When the last attempt at a stage ended."""
    return _written(status.state.log) if status.state.log else datetime.min.replace(tzinfo=UTC)


def _written(path: Path) -> datetime:
    """When a file was last written; now, if it has gone."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return datetime.now(UTC)
