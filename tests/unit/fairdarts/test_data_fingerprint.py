import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fairdarts.config import DataConfig
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


def test_names_tell_the_kind_of_source(tmp_path: Path) -> None:
    assert fingerprint(DataConfig(source="cifar10")) == "cifar10"
    assert fingerprint(DataConfig(source="cifar100")) == "cifar100"
    kinds = {
        "digits": DataConfig(),
        "parquet": parquet_source(tmp_path / "a"),
        "folder": folder_source(tmp_path / "b"),
    }
    for kind, config in kinds.items():
        name, _, digest = fingerprint(config).partition("-")
        assert name == kind
        assert len(digest) == 16
        assert set(digest) <= set("0123456789abcdef")


def test_the_place_of_parquet_files_does_not_matter(tmp_path: Path) -> None:
    here = fingerprint(parquet_source(tmp_path / "here"))
    parquet_source(tmp_path / "there" / "data")
    assert fingerprint(DataConfig(source=f"parquet:{tmp_path / 'there'}")) == here


def test_the_content_of_parquet_files_matters(tmp_path: Path) -> None:
    here = fingerprint(parquet_source(tmp_path / "here"))
    assert fingerprint(parquet_source(tmp_path / "there", test=b"tesu")) != here
    assert fingerprint(parquet_source(tmp_path / "swapped", b"test", b"train")) != here


def test_a_rewritten_file_is_hashed_again(tmp_path: Path) -> None:
    config = parquet_source(tmp_path)
    before = fingerprint(config)
    (tmp_path / "train.parquet").write_bytes(b"TRAIN")
    os.utime(tmp_path / "train.parquet", ns=(1, 1))
    assert fingerprint(config) != before


def test_a_folder_is_known_by_names_and_sizes(tmp_path: Path) -> None:
    config = folder_source(tmp_path / "here")
    before = fingerprint(config)
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    there = DataConfig(source=f"folder:{tmp_path / 'there'}")
    assert fingerprint(there) == before
    (tmp_path / "there" / "val" / "bee" / "0.png").write_bytes(b"longer image")
    assert fingerprint(there) != before
    (tmp_path / "here" / "train" / "ant" / "0.png").rename(
        tmp_path / "here" / "train" / "ant" / "1.png"
    )
    assert fingerprint(config) != before


@pytest.mark.parametrize("kind", ["parquet", "folder"])
def test_a_missing_directory_gets_the_same_sentence_as_loading(tmp_path: Path, kind: str) -> None:
    config = DataConfig(source=f"{kind}:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError) as planning:
        fingerprint(config)
    with pytest.raises(DataError) as loading:
        load(config)
    assert str(planning.value) == str(loading.value)


def test_planning_imports_no_heavy_library() -> None:
    code = (
        "import sys; from fairdarts.config import DataConfig;"
        "from fairdarts.data.fingerprint import fingerprint; fingerprint(DataConfig());"
        "print({'torch', 'sklearn', 'pyarrow', 'numpy'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "set()\n"
