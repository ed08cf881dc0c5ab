"""Layouts of Parquet files that people have: columns, class names, kinds of labels."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stored_images import png

from fairdarts.config import DataConfig
from fairdarts.data.fingerprint import fingerprint
from fairdarts.data.images import Images
from fairdarts.data.sources import load, load_train
from fairdarts.errors import ConfigError, DataError

REAL_CIFAR10 = Path(__file__).parents[4] / "../shared/data/cifar10"
REAL_IMAGENET = Path(__file__).parents[4] / "../shared/data/imagenet-sample"
AS_HUB = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def write(path: Path, *, raw: bool = False, img: str = "image", **columns: Any) -> None:
    """Image number i is `png(10 * i)`; a column with `(values, names)` has names as on the hub."""
    named = {name: column[1] for name, column in columns.items() if isinstance(column, tuple)}
    features = {name: {"_type": "ClassLabel", "names": names} for name, names in named.items()}
    plain = {name: columns[name][0] if name in named else columns[name] for name in columns}
    images = [png(10 * number) for number in range(len(next(iter(plain.values()))))]
    cells = images if raw else [{"bytes": data, "path": None} for data in images]
    table = pa.table({img: pa.array(cells, pa.binary() if raw else AS_HUB), **plain})
    if features:
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def both(top: Path, **columns: Any) -> DataConfig:
    for split in ("train", "test"):
        write(top / f"{split}.parquet", **columns)
    return config_of(top)


def config_of(top: Path, **settings: Any) -> DataConfig:
    return DataConfig(source=f"parquet:{top}", **settings)


def named_labels(images: Images) -> list[str]:
    return [images.class_names[label] for label in images.labels.tolist()]


WAYS = [{}, {"augmentation": "resized_crop", "image_size": 8}]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_class_names_in_another_order_are_matched(
    tmp_path: Path, split: str, way: dict[str, Any]
) -> None:
    write(tmp_path / "train-0-of-2.parquet", label=([0, 1], ["ant", "bee"]))
    shard = ["bee", "ant"] if split == "train" else ["ant", "bee"]
    write(tmp_path / "train-1-of-2.parquet", label=([0, 0, 1], shard))
    write(tmp_path / "test.parquet", label=([1, 0, 0], ["bee", "ant"]))
    train, test = load(config_of(tmp_path, **way))
    assert train.class_names == test.class_names == ("ant", "bee")
    assert named_labels(test) == ["ant", "bee", "bee"]
    assert named_labels(train) == ["ant", "bee", *(shard[label] for label in (0, 0, 1))]


def test_the_first_classes_are_those_of_the_training_files(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", label=([0, 1, 2, 0, 1], ["ant", "bee", "cat"]))
    write(tmp_path / "test.parquet", label=([0, 1, 2, 2], ["cat", "bee", "ant"]))
    train, test = load(config_of(tmp_path, num_classes=2))
    assert train.class_names == ("ant", "bee")
    assert named_labels(test) == ["bee", "ant", "ant"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["ant", "cat"], "it has cat, which the training images lack, and lacks bee:"),
        (["ant"], r"same classes, but it lacks bee:"),
        (
            ["ant", "bee", *"uvwxyz"],
            "it has u, v, w, x, y and 1 more, which the training images lack:",
        ),
        (["bee", "ant", "ant"], "names 2 classes 'ant'"),
    ],
)
def test_other_class_names_are_refused(tmp_path: Path, names: list[str], sentence: str) -> None:
    write(tmp_path / "train.parquet", label=([0, 1], ["ant", "bee"]))
    write(tmp_path / "test.parquet", label=([0, 0], names))
    with pytest.raises(DataError, match=rf"test\.parquet .*{sentence}"):
        load(config_of(tmp_path))


def test_other_class_names_in_a_shard_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet", label=([0, 1], ["ant", "bee"]))
    write(tmp_path / "train-1.parquet", label=([0, 1], ["ant", "cat"]))
    write(tmp_path / "test.parquet", label=([0, 1], ["ant", "bee"]))
    with pytest.raises(
        DataError, match=r"train-1\.parquet .* it has cat, which the training images lack"
    ):
        load_train(config_of(tmp_path))


@pytest.mark.parametrize("named", ["train", "test"])
def test_numbers_without_names_are_taken_as_they_are(tmp_path: Path, named: str) -> None:
    for split in ("train", "test"):
        label = ([1, 0, 1], ["bee", "ant"]) if split == named else [1, 0, 1]
        write(tmp_path / f"{split}.parquet", label=label)
    train, test = load(config_of(tmp_path))
    assert train.class_names == (("bee", "ant") if named == "train" else ("0", "1"))
    assert train.labels.tolist() == test.labels.tolist() == [1, 0, 1]


def test_images_whose_classes_were_mismatched_are_other_images(tmp_path: Path) -> None:
    config = both(tmp_path, label=([0, 1], ["ant", "bee"]))
    train, before = fingerprint(config, "train"), fingerprint(config, "test")
    write(tmp_path / "train.parquet", label=([0, 1], ["bee", "ant"]))
    assert fingerprint(config, "test") != before
    write(tmp_path / "train.parquet", label=([0, 1], ["ant", "bee"]))
    assert (fingerprint(config, "train"), fingerprint(config, "test")) == (train, before)


CATEGORY = pa.array(["bee", "ant", "cat", "ant"]).dictionary_encode()


@pytest.mark.parametrize(
    "texts",
    [
        ["bee", "ant", "cat", "ant"],
        pa.array(["bee", "ant", "cat", "ant"], pa.large_string()),
        CATEGORY,
    ],
    ids=["string", "large_string", "category"],
)
def test_labels_may_be_texts(tmp_path: Path, texts: Any) -> None:
    write(tmp_path / "train.parquet", label=texts)
    write(tmp_path / "test.parquet", label=["cat", "bee"])
    train, test = load(config_of(tmp_path))
    assert train.class_names == ("ant", "bee", "cat")
    assert (train.labels.tolist(), test.labels.tolist()) == ([1, 0, 2, 0], [2, 1])


def test_texts_of_all_training_files_are_the_classes(tmp_path: Path) -> None:
    write(tmp_path / "train-0.parquet", label=["cat", "bee"])
    write(tmp_path / "train-1.parquet", label=["ant", "bee"])
    write(tmp_path / "test.parquet", label=["bee", "dog"])
    assert named_labels(load_train(config_of(tmp_path))) == ["cat", "bee", "ant", "bee"]
    with pytest.raises(
        DataError, match=r"test\.parquet .* it has dog, which the training images lack: correct"
    ):
        load(config_of(tmp_path))


def test_texts_match_names_of_numbers_and_never_bare_numbers(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", label=([0, 1], ["bee", "ant"]))
    write(tmp_path / "test.parquet", label=["ant", "bee", "ant"])
    assert load(config_of(tmp_path))[1].labels.tolist() == [1, 0, 1]
    write(tmp_path / "train.parquet", label=[0, 1])
    with pytest.raises(DataError, match=r"numbers without names, .* texts: they cannot be matched"):
        load(config_of(tmp_path))


def test_truth_values_are_two_classes(tmp_path: Path) -> None:
    train, _ = load(both(tmp_path, label=[True, False, True]))
    assert train.labels.tolist() == [1, 0, 1]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
@pytest.mark.parametrize("way", WAYS)
def test_images_may_be_bare_bytes(tmp_path: Path, kind: pa.DataType, way: dict[str, Any]) -> None:
    both(tmp_path / "struct", label=[0, 1, 0, 1])
    for split in ("train", "test"):
        path = tmp_path / "raw" / f"{split}.parquet"
        write(path, raw=True, img="jpg", label=[0, 1, 0, 1])
        table = pq.read_table(path)
        pq.write_table(table.set_column(0, "jpg", table["jpg"].cast(kind)), path)
    (plain, _), (bare, _) = (load(config_of(tmp_path / top, **way)) for top in ("struct", "raw"))
    images = [getattr(of, "images", None) for of in (plain, bare)]
    if images[0] is not None:
        assert images[0].equal(images[1])
    else:
        cells = [list(of.split.images(of.indices)) for of in (plain, bare)]  # type: ignore[union-attr]
        assert [image.tobytes() for _, image in cells[0]] == [i.tobytes() for _, i in cells[1]]


def test_cifar100_of_the_hub_asks_which_labels_and_takes_either(tmp_path: Path) -> None:
    fine, coarse = ["apple", "cow", "bee"], ["plants", "animals"]
    config = both(
        tmp_path / "cifar100",
        img="img",
        fine_label=([0, 1, 2, 1], fine),
        coarse_label=([0, 1, 1, 1], coarse),
    )
    choices = "set data.label_column to one of: fine_label, coarse_label"
    with pytest.raises(DataError, match=rf"train\.parquet has 2 columns of labels .*: {choices}"):
        load_train(config)
    chosen = config_of(tmp_path, label_column="fine_label")
    assert load(chosen)[1].class_names == tuple(fine)
    chosen = config_of(tmp_path, label_column="coarse_label")
    assert named_labels(load(chosen)[0]) == ["plants", "animals", "animals", "animals"]


def test_imagenet_of_the_hub_asks_for_its_validation_split(tmp_path: Path) -> None:
    names = ["tench", "crane"]
    for number in range(2):
        path = tmp_path / "data" / f"train-0000{number}-of-00002.parquet"
        write(path, label=([0, 1], names))
    write(tmp_path / "data/validation-00000-of-00001.parquet", label=([0, 1, 1], names))
    write(tmp_path / "data/test-00000-of-00001.parquet", label=([-1] * 4, names))
    assert len(load_train(config_of(tmp_path))) == 4
    with pytest.raises(DataError, match=r"no labels to test on: .*set data.test_split to valid"):
        load(config_of(tmp_path))
    assert len(load(config_of(tmp_path, test_split="validation"))[1]) == 3


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", label=[0, 1])
    with pytest.raises(DataError, match="cannot be read: File name too long"):
        load(config_of(tmp_path, test_split="x" * 400))


def test_a_test_split_without_the_column_of_labels_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", label=[0, 1])
    write(tmp_path / "test.parquet", id=[7, 8])
    write(tmp_path / "dev.parquet", label=[0, 1, 1])
    with pytest.raises(DataError, match=r"test\.parquet has no column label, .*test_split to dev"):
        load(config_of(tmp_path))
    assert len(load(config_of(tmp_path, test_split="dev"))[1]) == 3


@pytest.mark.parametrize("missing", [None, -1, ""])
def test_an_image_without_a_label_is_named(tmp_path: Path, missing: Any) -> None:
    present = ["a", "b"] if missing == "" else [0, 1]
    write(tmp_path / "train.parquet", label=[*present, missing, *present, missing])
    write(tmp_path / "test.parquet", label=present)
    with pytest.raises(DataError, match=r"train\.parquet, row 2 has no label .* 1 others of the"):
        load_train(config_of(tmp_path))


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"target": [0, 1], "split": [0.5, 0.5]}, "target"),
        ({"id": [7, 8], "class": ([0, 1], ["ant", "bee"])}, "class"),
        ({"label": [0, 1], "name": ["a", "b"]}, "label"),
        ({"label": [0, 1], "kind": ([0, 1], ["ant", "bee"])}, "label"),
    ],
)
def test_the_only_column_that_can_be_labels_is_taken(
    tmp_path: Path, columns: dict[str, Any], chosen: str
) -> None:
    found = load_train(both(tmp_path, **columns))
    expected = load_train(config_of(tmp_path, label_column=chosen))
    assert found.class_names == expected.class_names
    assert found.labels.tolist() == expected.labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("columns", "settings", "sentence"),
    [
        ({"a": [0, 1], "b": ["x", "y"]}, {}, "2 columns of labels .* to one of: a, b"),
        ({"label": [0.5, 1.5]}, {}, r"no column of labels .*; it has: .*label \(double\)"),
        (
            {"label": [0.5, 1.5], "a": [0, 1]},
            {"label_column": "label"},
            "column label is double, but data.label_column must name .*: set .* to a",
        ),
        (
            {"a": [0, 1]},
            {"label_column": "b"},
            "there is no column b, .*label_column to a",
        ),
        ({"a": [0, 1]}, {"image_column": "a"}, "column a is int64, .*data.image_column to image"),
        ({"a": [0, 1], "x": [b"", b""], "img": "z"}, {}, "2 columns of images .* one of: z, x"),
    ],
)
def test_an_error_names_the_columns_that_can_be_chosen(
    tmp_path: Path, columns: dict[str, Any], settings: dict[str, Any], sentence: str
) -> None:
    both(tmp_path, **columns)
    with pytest.raises(DataError, match=rf"train\.parquet.*{sentence}"):
        load_train(config_of(tmp_path, **settings))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"source": "digits", "label_column": "a"},
            r"label_column \(='a'\) is for parquet, not",
        ),
        ({"source": "folder:x", "image_column": "a"}, "image_column .* is for parquet, not folder"),
        (
            {"source": "cifar10", "test_split": "a"},
            "is for parquet and folder and imagenet, not",
        ),
        ({"source": "folder:x", "test_split": "train"}, "is also the split to train on"),
        ({"source": "folder:x", "test_split": "../x"}, "must be the name of a folder or of files"),
        ({"source": "folder:x", "train_split": ""}, "must be the name of a folder or of files"),
    ],
)
def test_names_that_cannot_apply_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        DataConfig.build(settings, "data")


@pytest.mark.skipif(not REAL_CIFAR10.exists(), reason="CIFAR-10 as Parquet is not at hand")
def test_real_images_by_text_labels_are_those_by_number(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(10)]
    for split in ("train", "test"):
        table = pq.read_table(REAL_CIFAR10 / f"{split}.parquet").slice(0, 60)
        labels = [names[label] for label in table["label"].to_pylist()]
        raw = pa.array([cell["bytes"] for cell in table["img"].to_pylist()])
        pq.write_table(pa.table({"png": raw, "kind": labels}), tmp_path / f"{split}.parquet")
        pq.write_table(table, tmp_path / f"{split}-numbers.parquet")
    plain = config_of(tmp_path, train_split="train-numbers", test_split="test-numbers")
    for found, expected in zip(load(config_of(tmp_path)), load(plain), strict=True):
        assert found.images.equal(expected.images)  # type: ignore[union-attr]
        assert found.labels.equal(expected.labels)


@pytest.mark.skipif(not REAL_IMAGENET.exists(), reason="a sample of ImageNet is not at hand")
def test_the_validation_split_of_imagenet_can_be_trained_on_as_well(tmp_path: Path) -> None:
    table = pq.read_table(REAL_IMAGENET / "validation.parquet").slice(0, 40)
    pq.write_table(table, tmp_path / "validation.parquet", row_group_size=10)
    pq.write_table(table.slice(30), tmp_path / "test.parquet")
    config = config_of(tmp_path, train_split="validation", augmentation="resized_crop")
    train, test = load(config)
    assert (len(train), len(test)) == (40, 10)
    assert test.labels.tolist() == train.labels.tolist()[30:]
