import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from repository import SHARED

from fairdarts.config import DataConfig
from fairdarts.data.in_memory import read_into_memory
from fairdarts.data.labels import parquet_labels
from fairdarts.data.parquet import ParquetSplit, parquet_split
from fairdarts.data.sources import load, load_train
from fairdarts.errors import DataError

REAL_CIFAR10 = SHARED / "data" / "cifar10"


def png(shade: int, size: int = 8) -> bytes:
    pixels = np.full((size, size, 3), shade, np.uint8)
    pixels[0, 0] = 255 - shade
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write(
    path: Path,
    labels: list[int | None],
    images: list[bytes | None] | None = None,
    column: str = "img",
    label_type: pa.DataType | None = None,
    class_names: list[str] | None = None,
    row_group_size: int = 3,
) -> None:
    """Image number i is `png(i)`, 8 pixels wide, unless given."""
    encoded = images or [png(i) for i in range(len(labels))]
    cells = [None if data is None else {"bytes": data, "path": None} for data in encoded]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        column: pa.array(cells, kind),
        "label": pa.array(labels, label_type or pa.int64()),
    }
    table = pa.table(columns)
    if class_names:
        features = {"label": {"names": class_names, "_type": "ClassLabel"}}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group_size, write_page_checksum=True)


def config_of(directory: Path, **settings: Any) -> DataConfig:
    return DataConfig(source=f"parquet:{directory}", **settings)


def shades(images: Any) -> list[int]:
    return [int(shade) for shade in images.images[:, 0, -1, -1]]


@pytest.mark.parametrize("column", ["img", "image"])
def test_images_keep_the_order_of_the_rows(tmp_path: Path, column: str) -> None:
    write(tmp_path / "train.parquet", [1, 0, 1, 2, 0, 1, 2], column=column)
    write(tmp_path / "test.parquet", [2, 1], column=column)
    train, test = load(config_of(tmp_path))
    assert train.labels.tolist() == [1, 0, 1, 2, 0, 1, 2]
    assert shades(train) == list(range(7))
    assert test.labels.tolist() == [2, 1]
    assert train.class_names == ("0", "1", "2")
    assert train.image_size == 8


def test_shards_in_a_data_folder_follow_each_other_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(folder / "train-00001-of-00002.parquet", [1, 0], [png(30), png(40)])
    write(folder / "train-00000-of-00002.parquet", [0, 1, 0], [png(0), png(10), png(20)])
    write(folder / "validation-00000-of-00001.parquet", [0, 1])
    assert shades(load(config_of(tmp_path))[0]) == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("name", ["test", "validation", "val"])
def test_the_test_split_may_go_by_other_names(tmp_path: Path, name: str) -> None:
    write(tmp_path / "train.parquet", [0, 1])
    write(tmp_path / f"{name}.parquet", [1, 0, 1])
    assert len(load(config_of(tmp_path))[1]) == 3


def test_test_files_are_preferred_to_validation_files(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [0, 1])
    write(tmp_path / "validation.parquet", [0, 1])
    write(tmp_path / "test.parquet", [0, 1, 1])
    assert len(load(config_of(tmp_path))[1]) == 3


def test_rows_stored_class_by_class_are_taken_in_turn(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [0, 0, 0, 0, 1, 1, 1, 1])
    write(tmp_path / "test.parquet", [0, 1])
    train, _ = load(config_of(tmp_path))
    assert train.labels.tolist() == [0, 1] * 4
    assert shades(train) == [0, 4, 1, 5, 2, 6, 3, 7]


def test_class_names_come_from_hugging_face_metadata(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [0, 1], class_names=["ant", "bee", "cat"])
    write(tmp_path / "test.parquet", [0, 1])
    assert load(config_of(tmp_path))[0].class_names == ("ant", "bee", "cat")


def test_a_label_without_a_name_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [0, 1], class_names=["ant", "bee"])
    write(tmp_path / "test.parquet", [0, 2])
    with pytest.raises(DataError, match=r"test\.parquet, row 1 has the label 2, .* have 2 classes"):
        load(config_of(tmp_path))
    write(tmp_path / "train.parquet", [0, 3], class_names=["ant", "bee"])
    with pytest.raises(DataError, match=r"train\.parquet, row 1: label \(=3\) has no name"):
        load_train(config_of(tmp_path, num_train=4))


def test_only_training_images_say_how_many_classes_there_are(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [0, 1, 0, 1])
    write(tmp_path / "test.parquet", [0, 2])
    assert load_train(config_of(tmp_path)).num_classes == 2
    with pytest.raises(DataError, match=r"test\.parquet, row 1 has the label 2"):
        load(config_of(tmp_path))


def test_training_images_are_loaded_without_reading_the_test_files(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [0, 1, 0, 1])
    (tmp_path / "test.parquet").write_bytes(b"damaged")
    assert len(load_train(config_of(tmp_path))) == 4
    with pytest.raises(DataError, match=r"test\.parquet is not a readable Parquet file"):
        load(config_of(tmp_path))


def test_only_chosen_images_are_decoded(tmp_path: Path) -> None:
    images: list[bytes | None] = [png(i) for i in range(8)]
    images[5] = images[7] = b"damaged, but never looked at"
    write(tmp_path / "train.parquet", [0, 1, 0, 2, 1, 2, 0, 1], images)
    write(tmp_path / "test.parquet", [0, 1])
    train, _ = load(config_of(tmp_path, num_train=4))
    assert train.labels.tolist() == [0, 1, 0, 2]
    assert shades(train) == [0, 1, 2, 3]


def test_small_unsigned_labels_are_read(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [200, 1, 200], label_type=pa.uint8())
    write(tmp_path / "test.parquet", [0, 1], label_type=pa.int8())
    assert load(config_of(tmp_path))[0].labels.tolist() == [200, 1, 200]


def test_image_size_resizes(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [0, 1, 0], [png(1), png(2, 16), png(3, 10)])
    write(tmp_path / "test.parquet", [0, 1])
    with pytest.raises(DataError, match=r"train\.parquet, row 1 is 16 x 16.*data\.image_size"):
        load(config_of(tmp_path))
    assert load(config_of(tmp_path, image_size=12))[0].images.shape == (3, 3, 12, 12)


@pytest.mark.parametrize("data", [None, b"", b"text", png(1)[:40]])
def test_a_row_without_an_image_is_named(tmp_path: Path, data: bytes | None) -> None:
    write(tmp_path / "train.parquet", [0, 1, 0, 1, 0], [*map(png, range(4)), data])
    write(tmp_path / "test.parquet", [0, 1])
    with pytest.raises(DataError, match=r"train\.parquet, row 4 is not a readable image"):
        load(config_of(tmp_path))


@pytest.mark.parametrize("label", [-2, 10**12])
def test_a_label_out_of_range_is_named(tmp_path: Path, label: int) -> None:
    write(tmp_path / "train.parquet", [0, 1])
    write(tmp_path / "test.parquet", [0, 1, 0, label, 1])
    with pytest.raises(DataError, match=rf"test\.parquet, row 3: label \(={label}\)"):
        load(config_of(tmp_path))


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train.parquet", [])
    write(tmp_path / "test.parquet", [0, 1])
    with pytest.raises(DataError, match=r"train\.parquet has no rows"):
        load(config_of(tmp_path))


@pytest.mark.parametrize("kept", [0, 10, 0.5])
def test_a_file_cut_short_is_named(tmp_path: Path, kept: float) -> None:
    write(tmp_path / "train.parquet", [0, 1, 0, 1])
    write(tmp_path / "test.parquet", [0, 1])
    data = (tmp_path / "train.parquet").read_bytes()
    (tmp_path / "train.parquet").write_bytes(data[: int(kept * len(data) if kept < 1 else kept)])
    with pytest.raises(DataError, match=r"train\.parquet is not a readable Parquet file"):
        load(config_of(tmp_path))


def test_a_flipped_bit_in_a_label_is_found_by_the_page_checksum(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    write(path, [0, 1, 0, 1])
    write(tmp_path / "test.parquet", [0, 1])
    column = pq.ParquetFile(path).metadata.row_group(0).column(2)
    start = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(path.read_bytes())
    data[start + column.total_compressed_size - 1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"train\.parquet is not a readable .* CRC"):
        load(config_of(tmp_path))


def test_a_changed_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    write(path, [0, 1, 0])
    write(tmp_path / "test.parquet", [0, 1])

    def read() -> ParquetSplit:
        labels = parquet_labels(config_of(tmp_path), "train")
        return parquet_split([path], torch.from_numpy(labels.indices), None)

    whole = path.read_bytes()
    split = read()
    images = read_into_memory(split, torch.arange(3), None)
    num_noticed = 0
    for position in range(0, len(whole), 9):
        damaged = bytearray(whole)
        damaged[position] ^= 2
        path.write_bytes(damaged)
        try:
            again = read()
            same_images = torch.equal(
                read_into_memory(again, torch.arange(len(again.labels)), None), images
            )
        except DataError:
            num_noticed += 1
            continue
        assert same_images and torch.equal(again.labels, split.labels), f"byte {position}"
    assert num_noticed > 50


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a directory"):
        load(config_of(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"has no train\.parquet"):
        load(config_of(tmp_path))
    write(tmp_path / "train.parquet", [0, 1])
    with pytest.raises(DataError, match=r"no test images .* test\.parquet, validation\.parquet"):
        load(config_of(tmp_path))


@pytest.mark.skipif(not REAL_CIFAR10.exists(), reason="CIFAR-10 as Parquet is not at hand")
def test_a_part_of_cifar10_is_balanced() -> None:
    train, test = load(config_of(REAL_CIFAR10, num_train=50, num_test=20))
    assert train.images.shape == (50, 3, 32, 32)
    assert train.labels.bincount().tolist() == [5] * 10
    assert test.labels.bincount().tolist() == [2] * 10
