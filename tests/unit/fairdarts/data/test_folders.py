import os
from pathlib import Path

import pytest

from fairdarts.config import DataConfig
from fairdarts.data.folders import ClassFiles, Reason, class_files, describe
from fairdarts.errors import DataError


def write(top: Path, *paths: str) -> None:
    for path in paths:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(b"image")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    write(tmp_path, *(f"{split}/{name}/0.png" for split in ("train", "test") for name in "ab"))
    return tmp_path


def files(top: Path) -> ClassFiles:
    return class_files(DataConfig(source=f"folder:{top}"), "train")


def left_out(top: Path) -> dict[str, Reason]:
    return {
        one.path.relative_to(top / "train").as_posix(): one.reason for one in files(top).skipped
    }


def test_images_are_found_at_any_depth_in_order_of_name(top: Path) -> None:
    write(top, "train/a/1/x.png", "train/a/1.png", "train/a/z/y/x.JPEG", "train/b/A.TIF")
    assert files(top).directory == top / "train"
    assert files(top).by_class == {
        "a": ("a/0.png", "a/1/x.png", "a/1.png", "a/z/y/x.JPEG"),
        "b": ("b/0.png", "b/A.TIF"),
    }
    assert files(top).skipped == ()


def test_what_is_no_image_by_its_name_is_left_out_with_a_reason(top: Path) -> None:
    hidden = ["a/._0.png", "a/.ipynb_checkpoints/0.png", "a/.DS_Store", "__MACOSX/a/0.png"]
    hidden += [".ipynb_checkpoints/0.png"]
    write(top, *(f"train/{path}" for path in [*hidden, "a/Thumbs.db", "a/no_suffix", "0.png"]))
    assert files(top).by_class == {"a": ("a/0.png",), "b": ("b/0.png",)}
    assert left_out(top) == {
        ".ipynb_checkpoints": Reason.HIDDEN,
        "0.png": Reason.NO_CLASS,
        "__MACOSX": Reason.HIDDEN,
        "a/._0.png": Reason.HIDDEN,
        "a/.DS_Store": Reason.HIDDEN,
        "a/.ipynb_checkpoints": Reason.HIDDEN,
        "a/Thumbs.db": Reason.OTHER_NAME,
        "a/no_suffix": Reason.OTHER_NAME,
    }
    assert describe(list(files(top).skipped), num_names=1) == (
        "5 hidden (.ipynb_checkpoints, ...), 2 not named as an image (Thumbs.db, ...), "
        "1 in no class folder (0.png)"
    )


def test_links_to_files_and_folders_are_followed(top: Path, tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/x.png", "more/y.png")
    (top / "train" / "a" / "linked").symlink_to(tmp_path / "elsewhere")
    (top / "train" / "a" / "link.png").symlink_to(tmp_path / "more" / "y.png")
    for split in ("train", "test"):
        (top / split / "c").symlink_to(tmp_path / "more")
    assert files(top).by_class == {
        "a": ("a/0.png", "a/link.png", "a/linked/x.png"),
        "b": ("b/0.png",),
        "c": ("c/y.png",),
    }


def test_a_folder_inside_of_itself_is_read_once(top: Path) -> None:
    (top / "train" / "a" / "again").symlink_to(top / "train" / "a")
    (top / "train" / "b" / "up").symlink_to("..")
    (top / "train" / "self").symlink_to(".")
    assert files(top).by_class == {"a": ("a/0.png",), "b": ("b/0.png",)}
    assert left_out(top) == dict.fromkeys(["a/again", "b/up", "self"], Reason.LOOP)


def test_a_pipe_is_never_opened(top: Path) -> None:
    os.mkfifo(top / "train" / "a" / "1.png")
    assert left_out(top) == {"a/1.png": Reason.SPECIAL}


def test_a_class_without_images_says_what_was_skipped(top: Path) -> None:
    (top / "train" / "a" / "0.png").rename(top / "train" / "a" / ".0.png")
    with pytest.raises(DataError, match=r"train/a has no images \(skipped: 1 hidden \(\.0\.png\)"):
        files(top)


def test_settings_name_the_folders_of_the_splits(tmp_path: Path) -> None:
    write(tmp_path, "fit/a/0.png", "held out/a/0.png", "test/b/0.png")
    config = DataConfig(source=f"folder:{tmp_path}", train_split="fit", test_split="held out")
    assert class_files(config, "train").directory == tmp_path / "fit"
    assert class_files(config, "test").directory == tmp_path / "held out"


@pytest.mark.parametrize(
    ("folders", "sentence"),
    [
        (["training", "valid"], "no folder train, .*: set data.train_split to training"),
        (["train", "dev"], "no folder test or validation or valid or val, .*_split to dev"),
    ],
)
def test_an_error_names_the_folders_that_are_there(
    tmp_path: Path, folders: list[str], sentence: str
) -> None:
    write(tmp_path, *(f"{folder}/a/0.png" for folder in folders), ".hidden/a/0.png")
    with pytest.raises(DataError, match=sentence):
        files(tmp_path)
