"""The card of exported tables, read by the libraries that read it on the hub."""

from pathlib import Path

import pytest
from huggingface_hub import DatasetCard
from small_sweep import Trial, finish, submit

from results.query.export import export_tables
from results.query.tables import Tables
from results.query.views import VIEWS
from results.report.dataset_card import dataset_card
from results.store.store import Store


def exported(store: Store, folder: Path) -> DatasetCard:
    tables = Tables(store)
    export_tables(tables, folder, lambda num_rows: dataset_card(tables, num_rows))
    return DatasetCard.load(folder / "README.md")


def test_the_hub_reads_which_file_is_which_table(example: Store, tmp_path: Path) -> None:
    card = exported(example, tmp_path / "dataset")
    files = {config["config_name"]: config["data_files"] for config in card.data["configs"]}
    assert files == {name: f"{name}.parquet" for name in VIEWS}
    assert all((tmp_path / "dataset" / file).exists() for file in files.values())
    assert [c["config_name"] for c in card.data["configs"] if c.get("default")] == ["outcomes"]
    assert card.data["size_categories"] == ["1K<n<10K"]
    assert card.data.get("license") is None


def test_people_read_every_column_with_its_unit_and_how_many_trials_ended_how(
    example: Store, tmp_path: Path
) -> None:
    text = exported(example, tmp_path / "dataset").text
    for view in VIEWS.values():
        assert f"### {view.name} (" in text
        for column in view.columns:
            assert f"| `{column.name}` |" in text
    assert "| `train_loss` | double | nat | mean training loss |" in text
    assert "| exp | fairdarts | cifar10 | cifar-600 | 5 | 3 | 0 | 1 | 1 |" in text


def test_names_of_users_are_no_markup(store: Store, tmp_path: Path) -> None:
    trial = Trial("darts", 0, dataset="a|b<script>\n# title")
    submit(store, "exp", 1, [trial])
    finish(store, trial, 97.0)
    assert "a\\|b&lt;script> # title" in exported(store, tmp_path / "dataset").text


def test_datasets_loads_every_table(
    example: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="needs datasets: pip install datasets")
    exported(example, tmp_path / "dataset")
    for name, view in VIEWS.items():
        table = datasets.load_dataset(
            str(tmp_path / "dataset"), name, split="train", cache_dir=str(tmp_path / "cache")
        )
        assert table.column_names == [column.name for column in view.columns]
        if name != "alphas":  # Those are unfolded while they are read.
            assert len(table) == Tables(example).read(name).num_rows


def test_tables_without_rows_do_not_stop_datasets(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="needs datasets: pip install datasets")
    submit(store, "exp", 1, [Trial("darts", 0)])
    exported(store, tmp_path / "dataset")
    folder, cache = str(tmp_path / "dataset"), str(tmp_path / "cache")
    assert datasets.get_dataset_config_names(folder) == ["trials", "outcomes", "ops", "reference"]
    for name in ("trials", "outcomes"):
        assert len(datasets.load_dataset(folder, name, split="train", cache_dir=cache)) == 1
