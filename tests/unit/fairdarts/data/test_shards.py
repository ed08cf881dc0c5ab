from pathlib import Path

import pytest

from fairdarts.data.folders import Reason
from fairdarts.data.shards import parquet_files, unused_files
from fairdarts.errors import DataError


def touch(top: Path, *names: str) -> str:
    for name in names:
        (top / f"{name}.parquet").parent.mkdir(parents=True, exist_ok=True)
        (top / f"{name}.parquet").touch()
    return str(top)


def stems(directory: str, split: str) -> list[str]:
    return [path.stem for path in parquet_files(directory, split)]  # type: ignore[arg-type]


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
    directory = touch(tmp_path, *names, "test")
    assert stems(directory, "train") == names
    assert stems(directory, "test") == ["test"]
    assert unused_files(directory) == ()


def test_a_split_takes_no_files_of_others(tmp_path: Path) -> None:
    others = ["train_extra", "trainval", "train-0-copy", "test_new", "validation", "data/train"]
    directory = touch(tmp_path, "train", "test", *others)
    assert stems(directory, "train") == ["train"]
    assert stems(directory, "test") == ["test"]
    unused = {one.path.stem: one.reason for one in unused_files(directory)}
    here = [name for name in others if "/" not in name]
    assert unused == dict.fromkeys(sorted(here), Reason.OTHER_SPLIT)


def test_val_takes_no_files_of_validation(tmp_path: Path) -> None:
    directory = touch(tmp_path, "train", "val", "validation_old")
    assert stems(directory, "test") == ["val"]


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
        (["train_extra"], r"has no train\.parquet, .*; of another name there: train_extra\.parq"),
    ],
)
def test_what_is_no_whole_set_is_refused(tmp_path: Path, names: list[str], sentence: str) -> None:
    directory = touch(tmp_path, *names, "test")
    for split in ("train", "test"):
        with pytest.raises(DataError, match=sentence):
            stems(directory, split)


def test_missing_shards_of_the_test_split_are_refused(tmp_path: Path) -> None:
    directory = touch(tmp_path, "train", "test-0-of-2")
    with pytest.raises(DataError, match="has 1 of 2 test files: test-1-of-2 is missing"):
        stems(directory, "train")
