import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fairdarts.config import DataConfig
from fairdarts.data.files import CIFAR_FILES, Split
from fairdarts.data.fingerprint import fingerprint
from fairdarts.data.images import ImageSet
from fairdarts.data.sources import load, load_train
from fairdarts.errors import DataError


def parquet_source(top: Path, train: bytes = b"train", test: bytes = b"test") -> DataConfig:
    top.mkdir(parents=True, exist_ok=True)
    (top / "train.parquet").write_bytes(train)
    (top / "test.parquet").write_bytes(test)
    return DataConfig(source=f"parquet:{top}")


def folder_source(top: Path) -> DataConfig:
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            (top / split / name).mkdir(parents=True)
            (top / split / name / "0.png").write_bytes(b"image")
    return DataConfig(source=f"folder:{top}")


def cifar_source(top: Path, kind: str) -> DataConfig:
    for name in CIFAR_FILES[kind]:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(b"images")
    return DataConfig(source=kind)


@pytest.mark.parametrize("split", ["train", "test"])
def test_names_tell_the_kind_of_source_and_the_split(tmp_path: Path, split: Split) -> None:
    kinds = {
        "digits": DataConfig(),
        "parquet": parquet_source(tmp_path / "a"),
        "folder": folder_source(tmp_path / "b"),
    }
    for kind, config in kinds.items():
        name, _, digest = fingerprint(config, split).rpartition("-")
        assert name == f"{kind}-{split}"
        assert len(digest) == 16
        assert set(digest) <= set("0123456789abcdef")


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_cifar_is_known_by_its_name_if_its_files_are_the_published_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("FAIRDARTS_DATA", str(tmp_path))
    config = cifar_source(tmp_path, kind)
    # The published files cannot be fetched here, so others take their place.
    stand_in = dict.fromkeys(CIFAR_FILES[kind], hashlib.md5(b"images").hexdigest())
    monkeypatch.setitem(CIFAR_FILES, kind, stand_in)
    assert fingerprint(config, "train") == f"{kind}-train"
    assert fingerprint(config, "test") == f"{kind}-test"
    for name in CIFAR_FILES[kind]:
        (tmp_path / name).write_bytes(b"imagez")
        with pytest.raises(DataError, match=f"{kind} is missing or damaged"):
            fingerprint(config, "train")
        (tmp_path / name).write_bytes(b"images")


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_missing_or_other_cifar_files_get_the_same_sentence_as_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("FAIRDARTS_DATA", str(tmp_path))
    config = cifar_source(tmp_path, kind)
    for name in [None, *CIFAR_FILES[kind]]:
        if name is not None:
            (tmp_path / name).unlink()
        with pytest.raises(DataError) as planning:
            fingerprint(config, "train")
        with pytest.raises(DataError) as loading:
            load(config)
        assert str(planning.value) == str(loading.value)


def test_the_cifar_files_and_checksums_are_those_of_torchvision() -> None:
    from torchvision.datasets import CIFAR10, CIFAR100

    for kind, dataset in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        files = dict([*dataset.train_list, *dataset.test_list])
        files[dataset.meta["filename"]] = dataset.meta["md5"]
        expected = {f"{dataset.base_folder}/{name}": md5 for name, md5 in files.items()}
        assert CIFAR_FILES[kind] == expected


def test_the_place_of_parquet_files_does_not_matter(tmp_path: Path) -> None:
    here = fingerprint(parquet_source(tmp_path / "here"), "train")
    parquet_source(tmp_path / "there" / "data")
    assert fingerprint(DataConfig(source=f"parquet:{tmp_path / 'there'}"), "train") == here


def test_only_the_files_of_a_parquet_split_matter_to_it(tmp_path: Path) -> None:
    here = parquet_source(tmp_path / "here")
    there = parquet_source(tmp_path / "there", test=b"tesu")
    assert fingerprint(there, "train") == fingerprint(here, "train")
    assert fingerprint(there, "test") != fingerprint(here, "test")


@pytest.mark.parametrize("kind", [parquet_source, folder_source])
def test_other_content_of_the_same_size_and_time_is_another_split(
    tmp_path: Path, kind: Callable[[Path], DataConfig]
) -> None:
    config = kind(tmp_path)
    path = next((tmp_path).rglob("train*/**/*.p*"), tmp_path / "train.parquet")
    before, content, times = fingerprint(config, "train"), path.read_bytes(), path.stat()
    path.write_bytes(content.upper())
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed = fingerprint(config, "train")
    assert changed != before
    path.write_bytes(content)
    assert fingerprint(config, "train") == before


def test_a_folder_split_is_known_by_the_paths_and_contents_of_its_images(tmp_path: Path) -> None:
    here = folder_source(tmp_path / "here")
    train, test = fingerprint(here, "train"), fingerprint(here, "test")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    there = DataConfig(source=f"folder:{tmp_path / 'there'}")
    assert (fingerprint(there, "train"), fingerprint(there, "test")) == (train, test)
    (tmp_path / "there" / "val" / "bee" / "0.png").write_bytes(b"other")
    assert fingerprint(there, "train") == train
    assert fingerprint(there, "test") != test
    ant = tmp_path / "here" / "train" / "ant"
    (ant / ".hidden.png").write_bytes(b"not an image of the split")
    assert fingerprint(here, "train") == train
    (ant / "0.png").rename(ant / "1.png")
    assert fingerprint(here, "train") != train
    assert fingerprint(here, "test") == test


def test_keys_of_an_earlier_version_stay_for_digits_and_parquet(tmp_path: Path) -> None:
    config = parquet_source(tmp_path)
    assert fingerprint(config, "train") == "parquet-train-a31ca93c6357d9e9"
    assert fingerprint(DataConfig(), "train") == "digits-train-4d81253f4b584785"


def test_load_reads_again_what_has_changed(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for shade, name in enumerate(("ant", "bee")):
            (tmp_path / split / name).mkdir(parents=True)
            Image.new("RGB", (8, 8), (shade,) * 3).save(tmp_path / split / name / "0.bmp")
    config = DataConfig(source=f"folder:{tmp_path}")
    train, test = load(config)
    assert load(config) == (train, test)
    Image.new("RGB", (8, 8), (7, 7, 7)).save(tmp_path / "train" / "bee" / "0.bmp")
    again = load_train(config)
    assert isinstance(train, ImageSet) and isinstance(again, ImageSet)
    assert (int(train.images.max()), int(again.images.max())) == (1, 7)


@pytest.mark.parametrize("kind", ["parquet", "folder"])
def test_a_missing_directory_gets_the_same_sentence_as_loading(tmp_path: Path, kind: str) -> None:
    config = DataConfig(source=f"{kind}:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError) as planning:
        fingerprint(config, "train")
    with pytest.raises(DataError) as loading:
        load(config)
    assert str(planning.value) == str(loading.value)


def test_planning_imports_no_heavy_library() -> None:
    code = (
        "import sys; from fairdarts.config import DataConfig;"
        "from fairdarts.data.fingerprint import fingerprint; fingerprint(DataConfig(), 'train');"
        "print({'torch', 'sklearn', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
