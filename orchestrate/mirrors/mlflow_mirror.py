"""Runs of MLflow: one for each stage, in an experiment that is named after the sweep.

The tag `fairdarts.shown` of a run is its record. A process may be killed between the points of an
epoch and their record; so of a run that another process wrote, MLflow is asked which epochs it has.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from orchestrate.mirrors.mirror import MirroredStage, Record, StageNow, curves
from orchestrate.statuses import Status

# Its own defaults: usage is reported to its makers, and a call to a server that is away takes four
# minutes. What fails here is tried again anyway.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

T = TypeVar("T")

KEY, SHOWN = "fairdarts.stage_key", "fairdarts.shown"
EPOCHS_AT_ONCE = 50
"""MLflow takes up to 1000 points at once, all or none."""
MAX_PARAMS, MAX_TEXT = 100, 6000
"""Most params that it takes at once, and characters of one."""
STATUSES = {Status.DONE: "FINISHED", Status.FAILED: "FAILED"}


@dataclass
class _Known:
    """What is known of a run at the target."""

    run_id: str
    record: Record
    next_epoch: int | None = None
    """None until MLflow is asked."""
    is_open: bool = False


class MlflowMirror:
    """Writes runs to a tracking server or a database.

    Args:
        uri: Its address, as of MLFLOW_TRACKING_URI.
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._client = MlflowClient(tracking_uri=uri)
        self._experiment = ""
        self._runs: dict[str, _Known] = {}

    @property
    def target(self) -> str:
        """See `Mirror`."""
        return f"MLflow at {self._uri}"

    def shown(self, stage: MirroredStage) -> Record:
        """See `Mirror`."""
        self._find_runs(stage.sweep)
        known = self._runs.get(stage.key)
        return known.record if known else Record()

    def show(self, stage: MirroredStage, now: StageNow) -> None:
        """See `Mirror`; epochs that are computed again after a crash keep their first values."""
        known = self._runs.get(stage.key) or self._create(stage, now)
        if known.next_epoch is None:
            known.next_epoch = self._next_epoch(known.run_id, stage)
        for rows in _parts(now.rows[known.next_epoch :], EPOCHS_AT_ONCE):
            points = [point for row in rows for point in _points(stage, row)]
            self._client.log_batch(known.run_id, metrics=points)
        known.next_epoch = max(known.next_epoch, len(now.rows))
        results = _results(now) if now.record.end else []
        record = RunTag(SHOWN, json.dumps(asdict(now.record)))
        self._client.log_batch(known.run_id, metrics=results, tags=[record])
        known.record = now.record
        if now.record.end:
            status = STATUSES[Status(now.record.end)]
            self._client.set_terminated(known.run_id, status)
        elif not known.is_open:
            self._client.update_run(known.run_id, status="RUNNING")
        known.is_open = not now.record.end

    def forget(self) -> None:
        """See `Mirror`."""
        self._experiment = ""
        self._runs.clear()

    def close(self) -> None:
        """See `Mirror`."""
        for known in self._runs.values():
            if known.is_open:
                self._client.set_terminated(known.run_id, "KILLED")
                known.is_open = False

    def _find_runs(self, sweep: str) -> None:
        """Find the experiment, or create it, and the runs that it has, once."""
        if self._experiment:
            return
        found = self._client.get_experiment_by_name(sweep)
        experiment = found.experiment_id if found else self._client.create_experiment(sweep)
        for run in self._all_runs(experiment):
            tags = run.data.tags
            if KEY in tags:
                record = Record(**json.loads(tags.get(SHOWN, "{}")))
                self._runs[tags[KEY]] = _Known(run.info.run_id, record)
        self._experiment = experiment

    def _all_runs(self, experiment: str) -> Iterator[Run]:
        token = None
        while True:
            page = self._client.search_runs([experiment], page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _create(self, stage: MirroredStage, now: StageNow) -> _Known:
        tags = {
            KEY: stage.key,
            "fairdarts.kind": stage.kind,
            "fairdarts.trial": stage.trial,
            "fairdarts.group": stage.group,
            "mlflow.source.name": "fairdarts",
        }
        run = self._client.create_run(self._experiment, run_name=stage.name, tags=tags)
        params = [Param(name, str(value)[:MAX_TEXT]) for name, value in stage.settings.items()]
        if now.genotype:
            params.append(Param("genotype", now.genotype[:MAX_TEXT]))
        for some in _parts(params, MAX_PARAMS):
            self._client.log_batch(run.info.run_id, params=some)
        known = _Known(run.info.run_id, Record(), next_epoch=0, is_open=True)
        self._runs[stage.key] = known
        return known

    def _next_epoch(self, run_id: str, stage: MirroredStage) -> int:
        # Every epoch has this one.
        history = self._client.get_metric_history(run_id, f"{stage.kind}/wall_s")
        return max((point.step for point in history), default=-1) + 1


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _points(stage: MirroredStage, row: Any) -> list[Metric]:
    at_ms = int(row["written_at"].timestamp() * 1000)
    values = curves(stage, row).items()
    return [Metric(name, value, at_ms, row["epoch"]) for name, value in values]


def _results(now: StageNow) -> list[Metric]:
    last = now.rows[-1]
    at_ms = int(last["written_at"].timestamp() * 1000)
    values = now.results.items()
    return [Metric(f"result/{name}", value, at_ms, last["epoch"]) for name, value in values]
