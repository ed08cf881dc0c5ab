"""What identifies the images of one split, wherever they lie; cheap enough for planning.

Nothing here imports torch, scikit-learn or pyarrow.
"""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from fairdarts.config import DataConfig
from fairdarts.data.files import Split, check_cifar, reading
from fairdarts.data.folders import class_files
from fairdarts.data.shards import parquet_files
from fairdarts.errors import DataError


def fingerprint(config: DataConfig, split: Split) -> str:
    """Identify the images of one split of the data source, as in `parquet-train-0123456789abcdef`.

    Neither the images of the other split, nor the place of the files, nor the other settings of
    `config` matter.

    Raises:
        DataError: If files are missing; the sentence is that of `fairdarts.data.sources.load`.
    """
    kind, _, directory = config.source.partition(":")
    name = f"{kind}-{split}"
    if kind == "digits":
        return f"{name}-{_digest([_content_hash(_digits_file())])}"
    if kind == "parquet":
        shards = parquet_files(directory, split)
        return f"{name}-{_digest(f'{shard.name} {_content_hash(shard)}' for shard in shards)}"
    if kind in ("folder", "imagenet"):
        files = class_files(config.source, split)
        # Sizes stand for the content: reading millions of images would take longer than planning.
        lines = (
            f"{path} {_size(files.directory / path)}"
            for paths in files.by_class.values()
            for path in paths
        )
        return f"{name}-{_digest(lines)}"
    # CIFAR: torchvision checks the MD5 of every file before it reads one, so the name is enough.
    check_cifar(kind)
    return name


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()[:16]


def _content_hash(path: Path) -> str:
    with reading(path):
        status = path.stat()
        return _cached_hash(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4096)
def _cached_hash(path: Path, mtime_ns: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _size(path: Path) -> int:
    with reading(path):
        return path.stat().st_size


def _digits_file() -> Path:
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError("The digits come with scikit-learn, which is not installed: install it.")
    return Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
