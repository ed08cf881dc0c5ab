"""MLflow itself, with a database in a file."""

from pathlib import Path
from typing import Any

import pytest
from mirrored_sweep import MirroredSweep

from orchestrate.mirrors.mirror import CURVES
from orchestrate.planning.plan import StageSpec

pytest.importorskip("mlflow", reason="needs MLflow: pip install mlflow-skinny")
pytest.importorskip("sqlalchemy", reason="needs a database: pip install sqlalchemy")
pytest.importorskip("alembic", reason="needs a database: pip install alembic")

from mlflow import MlflowClient

from orchestrate.mirrors.mlflow_mirror import MlflowMirror

pytestmark = pytest.mark.slow  # It makes the tables of a database for each test.


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def runs(uri: str) -> dict[str, Any]:
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert len({run.data.tags["fairdarts.stage_key"] for run in found}) == len(found)
    return {run.data.tags["fairdarts.stage_key"]: run for run in found}


def assert_shows(uri: str, sweep: MirroredSweep, stage: StageSpec) -> None:
    client, rows = MlflowClient(tracking_uri=uri), sweep.rows(stage)
    run_id = runs(uri)[stage.key].info.run_id
    for name in CURVES:
        points = client.get_metric_history(run_id, f"{stage.kind}/{name}")
        steps = {point.step: point.value for point in points}
        expected = {row["epoch"]: row[name] for row in rows if row[name] is not None}
        assert len(points) == len(expected)
        assert steps == expected


def test_a_stage_is_a_run_with_its_settings_and_every_epoch(sweep: MirroredSweep, uri: str) -> None:
    sweep.write(sweep.search, 3)
    sweep.finish(sweep.search)
    sweep.write_genotype()
    sweep.write(sweep.retrain, 60)  # More than MLflow takes at once.
    sweep.finish(sweep.retrain, test_top1_pct=51.0, params=3_300_000)
    sweep.follower(MlflowMirror(uri)).look()
    assert_shows(uri, sweep, sweep.search)
    assert_shows(uri, sweep, sweep.retrain)
    search, retrain = runs(uri)[sweep.search.key], runs(uri)[sweep.retrain.key]
    assert (search.info.run_name, search.info.status) == ("fairdarts seed=0 search", "FINISHED")
    assert search.data.params["search.zero_one_weight"] == "10.0"
    assert retrain.data.params["genotype"] == '{"normal": []}'
    assert retrain.data.metrics["result/params"] == 3_300_000


def test_another_process_continues_without_a_double_point(sweep: MirroredSweep, uri: str) -> None:
    first = MlflowMirror(uri)
    sweep.write(sweep.search, 2)
    sweep.follower(first).look()
    first.close()
    run = runs(uri)[sweep.search.key]
    assert run.info.status == "KILLED"
    # As if it had been killed before it recorded what it wrote.
    MlflowClient(tracking_uri=uri).delete_tag(run.info.run_id, "fairdarts.shown")
    sweep.write(sweep.search, 3, attempt=2, kept=1)
    second = MlflowMirror(uri)
    sweep.follower(second).look()
    assert runs(uri)[sweep.search.key].info.status == "RUNNING"
    sweep.write(sweep.search, 4, attempt=2, kept=1)
    sweep.fail(sweep.search)
    sweep.follower(second).look()
    run = runs(uri)[sweep.search.key]
    assert run.info.status == "FAILED"
    history = MlflowClient(tracking_uri=uri).get_metric_history(run.info.run_id, "search/lr")
    assert [point.step for point in history] == [0, 1, 2, 3]
