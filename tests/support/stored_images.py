"""Small sets of images on disk."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def png(shade: int, size: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), shade, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def write_images(
    folder: Path, images: list[bytes] | None = None, test_images: list[bytes] | None = None
) -> None:
    """Two classes, 12 training and 4 test images, unless others are given."""
    train = images or [png(20 * index) for index in range(12)]
    test = test_images or [png(50 * index) for index in range(4)]
    for split, encoded in (("train", train), ("test", test)):
        cells = pa.array([{"bytes": data} for data in encoded], pa.struct([("bytes", pa.binary())]))
        labels = pa.array([index % 2 for index in range(len(encoded))], pa.int64())
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"img": cells, "label": labels}), folder / f"{split}.parquet")
