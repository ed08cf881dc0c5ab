"""Small photographs on disk: smooth noise of various sizes and shapes, as JPEG."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def jpeg(number: int) -> bytes:
    chance = np.random.default_rng(number)
    width, height = (int(side) for side in chance.integers(20, 40, 2))
    coarse = Image.fromarray(chance.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG")
    return buffer.getvalue()


def write_folder(top: Path, classes: dict[str, int], test: str = "test") -> None:
    """So many images of each class, numbered through, for training and the same for testing."""
    for split in ("train", test):
        number = 0
        for name, count in classes.items():
            (top / split / name).mkdir(parents=True)
            for _ in range(count):
                (top / split / name / f"{number:03}.JPEG").write_bytes(jpeg(number))
                number += 1


def write_parquet(top: Path, labels: list[int], row_group_size: int) -> None:
    """Image number i has label number i, for training and the same for testing."""
    cells = [{"bytes": jpeg(number)} for number in range(len(labels))]
    images = pa.array(cells, pa.struct([("bytes", pa.binary())]))
    table = pa.table({"image": images, "label": pa.array(labels, pa.int64())})
    top.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        pq.write_table(table, top / f"{split}.parquet", row_group_size=row_group_size)
