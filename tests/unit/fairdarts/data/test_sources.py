import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fairdarts.config import DataConfig
from fairdarts.data.sources import load, load_train, pixel_statistics
from fairdarts.errors import DataError


def png(shade: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, (shade, shade // 2, 255 - shade) if mode == "RGB" else shade).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


def write_folder(top: Path, split: str, classes: dict[str, list[bytes]]) -> None:
    for name, images in classes.items():
        (top / split / name).mkdir(parents=True)
        for number, data in enumerate(images):
            (top / split / name / f"{number}.png").write_bytes(data)


def two_classes(top: Path, test: str = "test") -> DataConfig:
    classes = {"cat": [png(10), png(20)], "ant": [png(30), png(40), png(50)]}
    write_folder(top, "train", classes)
    write_folder(top, test, classes)
    return DataConfig(source=f"folder:{top}")


def test_digits_split_where_unseen_writers_begin() -> None:
    train, test = load(DataConfig())
    assert (len(train), len(test)) == (1437, 360)
    assert (train.image_size, train.num_classes, train.mirror) == (32, 10, False)
    assert (int(train.images.min()), int(train.images.max())) == (0, 255)
    assert torch.equal(train.images[:, 0], train.images[:, 2])
    assert train.mean == test.mean


def test_digits_take_the_size_and_number_asked_for() -> None:
    train, test = load(DataConfig(image_size=8, num_train=20, num_test=10))
    assert train.images.shape == (20, 3, 8, 8)
    assert torch.bincount(train.labels).tolist() == [2] * 10
    assert torch.bincount(test.labels).tolist() == [1] * 10


def test_a_second_load_returns_the_same_tensors() -> None:
    config = DataConfig(num_train=10, num_test=10)
    assert load(config)[0].images is load(DataConfig(num_train=10, num_test=10))[0].images


def test_a_search_and_a_retraining_share_the_training_images() -> None:
    searched = load_train(DataConfig(num_train=12))
    assert load(DataConfig(num_train=12, num_test=10))[0] is searched


def test_more_images_than_there_are_is_refused() -> None:
    with pytest.raises(DataError, match="5000 images are asked for, but there are 1437"):
        load(DataConfig(num_train=5000))


def test_statistics_are_those_of_the_pixels() -> None:
    images = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (5, 3, 6, 6), dtype=np.uint8)
    )
    pixels = images.double() / 255
    mean, std = pixel_statistics(images)
    assert mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), abs=1e-12)
    assert std == pytest.approx(pixels.std((0, 2, 3), correction=0).tolist(), abs=1e-12)


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_missing_cifar_says_where_it_looked_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("FAIRDARTS_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"doctor --download {kind}") as caught:
        load(DataConfig(source=kind))
    assert str(tmp_path) in str(caught.value)


def test_a_cifar_file_with_another_checksum_is_never_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRDARTS_DATA", str(tmp_path))
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for name in ["test_batch", *(f"data_batch_{number}" for number in range(1, 6))]:
        (folder / name).write_bytes(b"cos\nsystem\n.")
    with pytest.raises(DataError, match="missing or damaged"):
        load(DataConfig(source="cifar10"))


@pytest.mark.parametrize("test", ["test", "val", "validation"])
def test_folder_takes_classes_in_turn(tmp_path: Path, test: str) -> None:
    train, held_out = load(two_classes(tmp_path, test))
    assert train.class_names == ("ant", "cat")
    assert train.labels.tolist() == [0, 1, 0, 1, 0]
    assert train.images[:, 0, 0, 0].tolist() == [30, 10, 40, 20, 50]
    assert torch.equal(train.images, held_out.images)
    assert train.mirror


def test_folder_images_are_resized_on_request_only(tmp_path: Path) -> None:
    config = two_classes(tmp_path)
    (tmp_path / "train" / "ant" / "odd.png").write_bytes(png(60, (9, 12)))
    with pytest.raises(DataError, match=r"odd\.png is 9 x 12 pixels.*set data\.image_size"):
        load(config)
    train, _ = load(DataConfig(source=config.source, image_size=16))
    assert train.images.shape == (6, 3, 16, 16)


def test_oblong_images_need_a_size(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_folder(tmp_path, split, {"a": [png(1, (8, 10))], "b": [png(2, (8, 10))]})
    with pytest.raises(DataError, match=r"8 x 10 pixels.*set data\.image_size"):
        load(DataConfig(source=f"folder:{tmp_path}"))


def test_images_of_any_square_size_are_loaded(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_folder(tmp_path, split, {"a": [png(1, (10, 10))], "b": [png(2, (10, 10))]})
    assert load(DataConfig(source=f"folder:{tmp_path}"))[0].image_size == 10
    assert load(DataConfig(source=f"folder:{tmp_path}", image_size=13))[0].image_size == 13


def test_splits_of_different_size_need_a_size(tmp_path: Path) -> None:
    write_folder(tmp_path, "train", {"a": [png(1)], "b": [png(2)]})
    write_folder(tmp_path, "test", {"a": [png(1, (12, 12))], "b": [png(2, (12, 12))]})
    with pytest.raises(DataError, match=r"8 pixels wide and test images 12: set data\.image_size"):
        load(DataConfig(source=f"folder:{tmp_path}"))


@pytest.mark.parametrize("data", [b"", b"not an image", png(70)[:50]], ids=["empty", "text", "cut"])
def test_a_damaged_file_is_named(tmp_path: Path, data: bytes) -> None:
    config = two_classes(tmp_path)
    (tmp_path / "test" / "cat" / "1.png").write_bytes(data)
    with pytest.raises(DataError, match=r"test/cat/1\.png is not a readable image"):
        load(config)


def test_an_image_of_16_bits_is_refused_rather_than_clipped(tmp_path: Path) -> None:
    config = two_classes(tmp_path)
    (tmp_path / "train" / "ant" / "0.png").write_bytes(png(3000, mode="I;16"))
    with pytest.raises(DataError, match=r"ant/0\.png has more than 8 bits"):
        load(config)


def test_a_link_to_nowhere_is_named(tmp_path: Path) -> None:
    config = two_classes(tmp_path)
    (tmp_path / "train" / "ant" / "lost.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"lost\.png cannot be read"):
        load(config)


def test_classes_of_one_split_only_are_named(tmp_path: Path) -> None:
    config = two_classes(tmp_path)
    write_folder(tmp_path, "test", {"dog": [png(1)]})
    with pytest.raises(DataError, match=r"hold the same classes, but \S*/train has no dog\."):
        load(config)
    write_folder(tmp_path, "train", {"elk": [png(1)]})
    with pytest.raises(DataError, match=r"\S*/train has no dog and \S*/test has no elk\."):
        load(config)


def test_a_constant_channel_is_refused(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_folder(tmp_path, split, {"a": [png(9)], "b": [png(9)]})
    with pytest.raises(DataError, match="a channel is constant"):
        load(DataConfig(source=f"folder:{tmp_path}"))


def test_missing_parts_of_a_folder_source_are_named(tmp_path: Path) -> None:
    config = DataConfig(source=f"folder:{tmp_path}")
    with pytest.raises(DataError, match="is not a directory"):
        load(DataConfig(source=f"folder:{tmp_path}/nowhere"))
    with pytest.raises(DataError, match="has no folder train"):
        load(config)
    (tmp_path / "train").mkdir()
    with pytest.raises(DataError, match="has no folder test or validation or valid or val"):
        load(config)
    (tmp_path / "test").mkdir()
    with pytest.raises(DataError, match="train has no class folders"):
        load(config)
    (tmp_path / "train" / "ant").mkdir()
    with pytest.raises(DataError, match="test has no class folders"):
        load(config)
    (tmp_path / "test" / "ant").mkdir()
    with pytest.raises(DataError, match="train/ant has no images"):
        load(config)
