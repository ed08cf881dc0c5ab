import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fairdarts.config import DataConfig
from fairdarts.data.files import CIFAR_FILES, Split
from fairdarts.data.fingerprint import fingerprint
from fairdarts.data.sources import load
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
def test_cifar_is_known_by_its_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("FAIRDARTS_DATA", str(tmp_path))
    config = cifar_source(tmp_path, kind)
    assert fingerprint(config, "train") == f"{kind}-train"
    assert fingerprint(config, "test") == f"{kind}-test"


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_a_missing_cifar_file_gets_the_same_sentence_as_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("FAIRDARTS_DATA", str(tmp_path))
    config = cifar_source(tmp_path, kind)
    with pytest.raises(DataError) as loading:
        load(config)
    for name in CIFAR_FILES[kind]:
        (tmp_path / name).unlink()
        with pytest.raises(DataError) as planning:
            fingerprint(config, "train")
        assert str(planning.value) == str(loading.value)
        cifar_source(tmp_path, kind)


def test_the_cifar_files_looked_for_are_those_that_torchvision_reads() -> None:
    from torchvision.datasets import CIFAR10, CIFAR100

    for kind, dataset in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        names = [name for name, _ in dataset.train_list + dataset.test_list]
        names.append(dataset.meta["filename"])
        assert set(CIFAR_FILES[kind]) == {f"{dataset.base_folder}/{name}" for name in names}


def test_the_place_of_parquet_files_does_not_matter(tmp_path: Path) -> None:
    here = fingerprint(parquet_source(tmp_path / "here"), "train")
    parquet_source(tmp_path / "there" / "data")
    assert fingerprint(DataConfig(source=f"parquet:{tmp_path / 'there'}"), "train") == here


def test_only_the_files_of_a_parquet_split_matter_to_it(tmp_path: Path) -> None:
    here = parquet_source(tmp_path / "here")
    there = parquet_source(tmp_path / "there", test=b"tesu")
    assert fingerprint(there, "train") == fingerprint(here, "train")
    assert fingerprint(there, "test") != fingerprint(here, "test")


def test_a_rewritten_file_is_hashed_again(tmp_path: Path) -> None:
    config = parquet_source(tmp_path)
    before = fingerprint(config, "train")
    (tmp_path / "train.parquet").write_bytes(b"TRAIN")
    os.utime(tmp_path / "train.parquet", ns=(1, 1))
    assert fingerprint(config, "train") != before


def test_a_folder_split_is_known_by_its_names_and_sizes(tmp_path: Path) -> None:
    here = folder_source(tmp_path / "here")
    train, test = fingerprint(here, "train"), fingerprint(here, "test")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    there = DataConfig(source=f"folder:{tmp_path / 'there'}")
    assert (fingerprint(there, "train"), fingerprint(there, "test")) == (train, test)
    (tmp_path / "there" / "val" / "bee" / "0.png").write_bytes(b"longer image")
    assert fingerprint(there, "train") == train
    assert fingerprint(there, "test") != test
    (tmp_path / "here" / "train" / "ant" / "0.png").rename(
        tmp_path / "here" / "train" / "ant" / "1.png"
    )
    assert fingerprint(here, "train") != train
    assert fingerprint(here, "test") == test


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
