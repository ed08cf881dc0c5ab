"""Exported tables are read right by any reader."""

from pathlib import Path

import duckdb
import pandas as pd
import pytest
from small_sweep import Trial, finish, submit

from results.errors import DamagedFile, StoreError
from results.query.export import export_tables
from results.query.tables import Tables
from results.query.views import VIEWS
from results.store.layout import live_name
from results.store.store import Store


def test_every_reader_sees_all_columns_and_the_same_rows(example: Store, tmp_path: Path) -> None:
    sizes = export_tables(Tables(example), tmp_path / "tables")

    assert [path.stem for path in sizes] == list(VIEWS)
    for path, num_rows in sizes.items():
        columns = [column.name for column in VIEWS[path.stem].columns]
        frame = pd.read_parquet(path)
        assert list(frame.columns) == columns
        assert len(frame) == num_rows > 0
        relation = duckdb.sql(f"FROM '{path}'")
        assert relation.columns == columns
        assert len(relation.fetchall()) == num_rows
    assert pd.read_parquet(tmp_path / "tables" / "alphas.parquet")["operation"].notna().all()


def test_polars_reads_them_too(example: Store, tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    for path, num_rows in export_tables(Tables(example), tmp_path / "tables").items():
        assert len(polars.read_parquet(path)) == num_rows


def test_a_join_counts_every_trial_once(store: Store, tmp_path: Path) -> None:
    trial = Trial("darts", 0)
    for submission in (1, 2, 3):
        submit(store, "exp", submission, [trial])
    submit(store, "other", 1, [Trial("fairdarts", 0)])
    finish(store, trial, 97.0)
    row = {"stage_key": trial.retrain_key, "test_top1_pct": 98.0}
    store.write_rows("retrains", live_name(trial.retrain_key, 2), [row])

    export_tables(Tables(store, ["exp"]), tmp_path / "tables")

    trials = pd.read_parquet(tmp_path / "tables" / "trials.parquet")
    retrains = pd.read_parquet(tmp_path / "tables" / "retrains.parquet")
    joined = trials.merge(retrains, left_on="retrain_key", right_on="stage_key")
    assert joined["test_top1_pct"].tolist() == [98.0]


def test_a_folder_with_files_is_left_alone(example: Store, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="exists already: give the name of a new folder"):
        export_tables(Tables(example), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_damaged_file_leaves_nothing_half_written(store: Store, tmp_path: Path) -> None:
    trial = Trial("darts", 0)
    submit(store, "exp", 1, [trial])
    finish(store, trial, 97.0)
    damaged = store.live_path("retrains", live_name(trial.retrain_key, 1))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    before = sorted(tmp_path.iterdir())

    with pytest.raises(DamagedFile):
        export_tables(Tables(store), tmp_path / "tables")

    assert sorted(tmp_path.iterdir()) == before
