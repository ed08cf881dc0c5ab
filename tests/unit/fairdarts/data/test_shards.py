from pathlib import Path
from typing import Any, get_args

import pytest

from fairdarts.config import DataConfig
from fairdarts.data.files import Split
from fairdarts.data.folders import Reason
from fairdarts.data.shards import parquet_files, unused_files
from fairdarts.errors import DataError


def touch(top: Path, *names: str, **settings: Any) -> DataConfig:
    for name in names:
        (top / f"{name}.parquet").parent.mkdir(parents=True, exist_ok=True)
        (top / f"{name}.parquet").touch()
    return DataConfig(source=f"parquet:{top}", **settings)


def stems(config: DataConfig, split: Split) -> list[str]:
    return [path.stem for path in parquet_files(config, split)]


@pytest.mark.parametrize(
    "names",
    [
        ["train"],
        ["train-0", "train-1", "train-10", "train-2"],
        ["train_00"],
        ["train1", "train2"],
        ["train-00000-of-00002", "train-00001-of-00002"],
        ["train-00000-of-00002-a09b74b3ef9c3b56", "train-00001-of-00002-0e2ff7a1b9fe1c00"],
        ["train-1-of-2", "train-2-of-2"],
    ],
)
def test_the_files_of_a_split_are_taken_in_order_of_name(tmp_path: Path, names: list[str]) -> None:
    config = touch(tmp_path, *names, "test")
    assert stems(config, "train") == names
    assert stems(config, "test") == ["test"]
    assert unused_files(config) == ()


def test_a_split_takes_no_files_of_others(tmp_path: Path) -> None:
    others = ["train_extra", "trainval", "train-0-copy", "test_new", "validation", "data/train"]
    config = touch(tmp_path, "train", "test", *others)
    assert stems(config, "train") == ["train"]
    assert stems(config, "test") == ["test"]
    unused = {one.path.stem: one.reason for one in unused_files(config)}
    here = [name for name in others if "/" not in name]
    assert unused == dict.fromkeys(sorted(here), Reason.OTHER_SPLIT)


def test_val_takes_no_files_of_validation(tmp_path: Path) -> None:
    config = touch(tmp_path, "train", "val", "validation_old")
    assert stems(config, "test") == ["val"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (
            ["train-00000-of-00003", "train-00002-of-00003"],
            r"has 2 of 3 train files: train-00001-of-00003 is missing",
        ),
        (
            ["train-3-of-9", "train-1-of-9"],
            r"has 2 of 9 train files: train-2-of-9, train-4-of-9, train-5-of-9 and 4 more are m",
        ),
        (["train-0-of-1", "train-00000-of-00001"], r"number 0 of the train files twice, train-0-"),
        (["train_1", "train-01"], r"number 1 of the train files twice, train-01\S* and train_1"),
        (["train-0-of-2", "train-1-of-2", "train-0-of-3"], r"two sets of train files, train-0-of-"),
        (["train", "train-00000-of-00001"], r"two sets of train files, train-00000\S* and train\."),
        (["train-0", "train-1-of-2"], r"two sets of train files"),
        (["train-0-of-2", "train-1-of-2", "train-2-of-2"], r"should have 2 .* train-2-of-2\S* is"),
        (
            ["train_extra"],
            r"has no train\.parquet, .* set data\.train_split to train_extra\.",
        ),
    ],
)
def test_what_is_no_whole_set_is_refused(tmp_path: Path, names: list[str], sentence: str) -> None:
    config = touch(tmp_path, *names, "test")
    for split in get_args(Split):
        with pytest.raises(DataError, match=sentence):
            stems(config, split)


def test_missing_shards_of_the_test_split_are_refused(tmp_path: Path) -> None:
    config = touch(tmp_path, "train", "test-0-of-2")
    with pytest.raises(DataError, match="has 1 of 2 test files: test-1-of-2 is missing"):
        stems(config, "train")


def test_settings_name_the_splits(tmp_path: Path) -> None:
    files = ["fit-0-of-2", "fit-1-of-2", "holdout", "cifar10", "test"]
    config = touch(tmp_path, *files, train_split="fit", test_split="holdout")
    assert (stems(config, "train"), stems(config, "test")) == (files[:2], ["holdout"])
    config = touch(tmp_path, train_split="cifar10")  # Its number is part of the name.
    assert (stems(config, "train"), stems(config, "test")) == (["cifar10"], ["test"])


def test_training_images_are_never_the_test_images_too(tmp_path: Path) -> None:
    config = touch(tmp_path, "test", "val", train_split="test")
    assert (stems(config, "train"), stems(config, "test")) == (["test"], ["val"])


@pytest.mark.parametrize("place", [".", "data", "cifar100"])
def test_files_may_lie_in_a_folder_of_the_data_set(tmp_path: Path, place: str) -> None:
    config = touch(tmp_path, f"{place}/train", f"{place}/valid", "other/notes")
    assert parquet_files(config, "train") == (tmp_path / place / "train.parquet",)
    assert stems(config, "test") == ["valid"]


def test_one_of_several_data_sets_must_be_chosen(tmp_path: Path) -> None:
    config = touch(tmp_path, "small/train", "small/test", "large/train", "large/test")
    with pytest.raises(DataError, match=rf"2 data sets: give one of parquet:{tmp_path}/large, par"):
        stems(config, "train")


def test_a_split_may_be_a_folder_of_files(tmp_path: Path) -> None:
    parts = ["part-00000-7a", "part-00001-7a"]
    config = touch(tmp_path, *(f"default/train/{name}" for name in parts), "default/test/0000")
    assert (stems(config, "train"), stems(config, "test")) == (parts, ["0000"])
    assert unused_files(config) == ()


def test_a_folder_of_files_is_not_a_split_where_a_shard_of_it_is_missing(tmp_path: Path) -> None:
    config = touch(tmp_path, "train/train-0-of-2", "test")
    with pytest.raises(DataError, match="has 1 of 2 train files: train-1-of-2 is missing"):
        stems(config, "train")


@pytest.mark.parametrize(
    ("files", "settings", "sentence"),
    [
        (["training", "test"], {}, "set data.train_split to training"),
        (["train", "holdout"], {}, "set data.test_split to holdout"),
        (["train", "dev-0-of-1", "old/0"], {}, "set data.test_split to one of: dev, old"),
        (
            ["train", "val"],
            {"test_split": "vall"},
            "needs vall.parquet .*: set .*test_split to val",
        ),
        (["train"], {}, r"test-00000-of-00001\.parquet\)\.$"),
    ],
)
def test_an_error_names_the_splits_that_are_there(
    tmp_path: Path, files: list[str], settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        stems(touch(tmp_path, *files, **settings), "train")
