"""What is known before decoding is what loading finds."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stored_images import png, write_images

from fairdarts.config import DataConfig
from fairdarts.data.facts import Facts, facts
from fairdarts.data.sources import load, load_train
from fairdarts.errors import DataError


def loaded(config: DataConfig) -> Facts:
    train, test = load(config)
    side = train.image_size
    return Facts(train.num_classes, len(train), len(test), side, side)


def write_folders(top: Path, size: int = 8) -> None:
    for split, each in (("train", 5), ("test", 2)):
        for name in ("ant", "bee", "cat"):
            (top / split / name).mkdir(parents=True)
            for index in range(each):
                (top / split / name / f"{index}.png").write_bytes(png(40 * index + 9, size))


@pytest.mark.parametrize(
    "settings",
    [{}, {"num_train": 40, "num_test": 20}, {"num_classes": 3}, {"image_size": 16}],
    ids=str,
)
def test_the_digits_are_known_as_they_are_loaded(settings: dict[str, Any]) -> None:
    config = DataConfig(**settings)
    assert facts(config) == loaded(config)


@pytest.mark.parametrize(
    "settings",
    [{}, {"num_train": 4, "num_classes": 2}, {"augmentation": "resized_crop"}],
    ids=str,
)
@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_files_are_known_as_they_are_loaded(
    kind: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    if kind == "folder":
        write_folders(tmp_path)
    else:
        write_images(tmp_path)
    config = DataConfig(source=f"{kind}:{tmp_path}", **settings)
    assert facts(config) == loaded(config)


@pytest.mark.parametrize(
    "settings", [{"num_classes": 11}, {"num_train": 2000}, {"num_test": 361}], ids=str
)
def test_what_loading_refuses_is_refused_in_the_same_words(settings: dict[str, Any]) -> None:
    config = DataConfig(**settings)
    with pytest.raises(DataError) as known:
        facts(config)
    with pytest.raises(DataError) as found:
        load(config)
    assert str(known.value) == str(found.value)


def test_a_first_image_that_is_not_one_is_named(tmp_path: Path) -> None:
    write_folders(tmp_path)
    (tmp_path / "train" / "ant" / "0.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"ant/0\.png is not a readable image"):
        facts(DataConfig(source=f"folder:{tmp_path}"))


def test_test_classes_that_training_lacks_are_known_before_a_search(tmp_path: Path) -> None:
    for split, names in (("train", ["ant", "bee"]), ("test", ["ant", "wasp"])):
        table = pa.table({"image": [png(0), png(9)], "label": names})
        pq.write_table(table, tmp_path / f"{split}.parquet")
    config = DataConfig(source=f"parquet:{tmp_path}")
    assert load_train(config).class_names == ("ant", "bee")
    with pytest.raises(
        DataError, match=r"test\.parquet .* it has wasp, which the training images lack"
    ):
        facts(config)
