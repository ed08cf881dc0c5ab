from pathlib import Path
from typing import Any

import pytest
import torch
from jpeg_files import write_folder, write_parquet

from fairdarts.config import DataConfig
from fairdarts.data.fingerprint import fingerprint
from fairdarts.data.images import Images, StoredImages, halves
from fairdarts.data.parquet import ParquetSplit, RowGroup
from fairdarts.data.shards import parquet_files
from fairdarts.data.sources import PUBLISHED_STATISTICS, load, load_train
from fairdarts.errors import ConfigError, DataError

KINDS = [{"augmentation": "resized_crop"}, {"image_size": 8}]
"""Settings that leave images where they lie, and that decode them."""


def config_of(source: str, **settings: Any) -> DataConfig:
    return DataConfig(source=source, augmentation="resized_crop", **settings)


def counts(images: Images) -> list[int]:
    return torch.bincount(images.labels, minlength=images.num_classes).tolist()


def test_only_labels_are_read(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("ant", "bee"):
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / "0.jpg").write_bytes(b"never looked at")
    train, test = load(config_of(f"folder:{tmp_path}"))
    assert isinstance(train, StoredImages) and isinstance(test, StoredImages)
    assert train.labels.tolist() == test.labels.tolist() == [0, 1]
    assert (train.class_names, train.image_size, train.mirror) == (("ant", "bee"), 224, True)
    assert (train.mean, train.std) == PUBLISHED_STATISTICS["imagenet"]


def test_imagenet_lies_where_cifar_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRDARTS_DATA", str(tmp_path))
    config = config_of("imagenet")
    for look in (load, lambda config: fingerprint(config, "train")):
        with pytest.raises(DataError, match=rf"imagenet is missing in {tmp_path}: put train/CLASS"):
            look(config)
    write_folder(tmp_path / "imagenet", {"n01440764": 3, "n01443537": 2}, test="val")
    train, test = load(config)
    assert counts(train) == counts(test) == [3, 2]
    assert train.class_names == ("n01440764", "n01443537")
    as_folder = fingerprint(DataConfig(source=f"folder:{tmp_path / 'imagenet'}"), "train")
    assert fingerprint(config, "train") == as_folder.replace("folder", "imagenet")


def test_settings_that_do_not_fit_the_source_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"digits has none: use augmentation = crop"):
        DataConfig.build({"source": "digits", "augmentation": "resized_crop"}, "data")
    with pytest.raises(ConfigError, match=r"imagenet needs augmentation = resized_crop, or an"):
        DataConfig.build({"source": "imagenet"}, "data")


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_classes_are_taken_and_of_them_the_first_images(
    tmp_path: Path, kind: dict[str, Any]
) -> None:
    write_folder(tmp_path, {"ant": 3, "bee": 4, "cat": 5})
    source = f"folder:{tmp_path}"
    train, test = load(DataConfig(source=source, num_classes=2, **kind))
    assert train.class_names == test.class_names == ("ant", "bee")
    assert counts(train) == counts(test) == [3, 4]
    train, test = load(DataConfig(source=source, num_classes=2, num_train=4, num_test=3, **kind))
    assert (counts(train), counts(test)) == ([2, 2], [2, 1])
    with pytest.raises(DataError, match=r"num_classes \(=4\) is more than the 3 classes"):
        load_train(DataConfig(source=source, num_classes=4, **kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_subset_is_taken_by_index(tmp_path: Path, kind: dict[str, Any]) -> None:
    write_parquet(tmp_path, [0, 1, 2, 0, 1, 2], row_group_size=2)
    images = load_train(DataConfig(source=f"parquet:{tmp_path}", **kind))
    assert images.subset(torch.tensor([1, 2, 5])).labels.tolist() == [1, 2, 2]
    assert images.subset(slice(2, 4)).subset(torch.tensor([1])).labels.tolist() == [0]
    assert len(images.subset(slice(2, None)).to("cpu")) == 4
    assert images.subset(slice(2)).num_classes == 3


def test_halves_of_stored_images_are_split_within_each_class(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 7, "bee": 1, "cat": 4, "dog": 1})
    images = load_train(config_of(f"folder:{tmp_path}"))
    assert isinstance(images, StoredImages)
    weights, alphas = halves(images)
    assert counts(weights) == [4, 0, 2, 1]
    assert counts(alphas) == [3, 1, 2, 0]
    assert weights.indices.tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert alphas.indices.tolist() == [1, 3, 5, 7, 9, 11]


def windowed(top: Path, sizes: list[int], window: int) -> ParquetSplit:
    """A Parquet file with row groups of equal size but for the last, and a shuffling window."""
    num_images = sum(sizes)
    write_parquet(top, list(range(num_images)), row_group_size=sizes[0])
    (path,) = parquet_files(DataConfig(source=f"parquet:{top}"), "train")
    groups = [
        RowGroup(path, number, number * sizes[0], size, "image")
        for number, size in enumerate(sizes)
    ]
    return ParquetSplit(torch.arange(num_images), groups, window)


def test_row_groups_are_shuffled_and_images_within_a_window_of_them(tmp_path: Path) -> None:
    split = windowed(tmp_path, [3] * 8 + [2], window=7)
    indices = torch.arange(26)
    order = split.shuffled(indices, torch.Generator().manual_seed(0))
    assert order.sort().values.tolist() == indices.tolist()
    assert order.tolist() != split.shuffled(indices, torch.Generator().manual_seed(1)).tolist()
    first_seen: dict[int, None] = {}
    most_held = 0
    for position, index in enumerate(order.tolist()):
        first_seen.setdefault(index // 3)
        begun = sum(2 if group == 8 else 3 for group in first_seen)
        most_held = max(most_held, begun - position)
    assert list(first_seen) != sorted(first_seen)
    assert 7 - 3 <= most_held <= 7 + 3
    part = indices[::2]
    assert split.shuffled(part, torch.Generator()).sort().values.tolist() == part.tolist()


def test_a_window_of_everything_is_a_plain_shuffle(tmp_path: Path) -> None:
    split = windowed(tmp_path, [3, 3, 2], window=8)
    starts = {
        int(split.shuffled(torch.arange(8), torch.Generator().manual_seed(seed))[0])
        for seed in range(100)
    }
    assert starts == set(range(8))


def test_each_row_group_is_read_once_a_pass(tmp_path: Path) -> None:
    split = windowed(tmp_path, [3] * 5, window=6)
    order = split.shuffled(torch.arange(15), torch.Generator().manual_seed(0)).tolist()
    encoded = split.encoded(torch.tensor(order))
    last_begun = max(next(i for i, at in enumerate(order) if at // 3 == g) for g in range(5))
    found = [next(encoded) for _ in range(last_begun + 1)]
    (tmp_path / "train.parquet").unlink()  # By now all of it has been read.
    found += encoded
    assert [one.where.rpartition(" row ")[2] for one in found] == list(map(str, order))
    assert all(one.image().mode == "RGB" for one in found)
