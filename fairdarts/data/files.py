"""Where data sets lie: what loading and fingerprinting share; no torch.

`folders` and `shards` say which files of a directory are images, and of which split.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from fairdarts.errors import DataError

Split = Literal["train", "test"]
TEST_NAMES = ("test", "validation", "val")
"""How the test split may be called, in order of preference."""
CIFAR_FILES: dict[str, tuple[str, ...]] = {
    "cifar10": (
        *(f"cifar-10-batches-py/data_batch_{number}" for number in range(1, 6)),
        "cifar-10-batches-py/test_batch",
        "cifar-10-batches-py/batches.meta",
    ),
    "cifar100": ("cifar-100-python/train", "cifar-100-python/test", "cifar-100-python/meta"),
}
"""What torchvision unpacks from the archives and reads, below `download_root()`."""


def download_root() -> Path:
    """Where CIFAR archives are kept: $FAIRDARTS_DATA, else ~/.cache/fairdarts."""
    return Path(os.environ.get("FAIRDARTS_DATA") or "~/.cache/fairdarts").expanduser()


def check_cifar(kind: str) -> None:
    """See to it that the files of `cifar10` or `cifar100` are there; their content is not read.

    Raises:
        DataError: If one is missing.
    """
    if not all((download_root() / name).is_file() for name in CIFAR_FILES[kind]):
        raise unusable_cifar(kind)


def unusable_cifar(kind: str) -> DataError:
    """Say where CIFAR was looked for and how to get it."""
    return DataError(
        f"{kind} is missing or damaged in {download_root()}: fetch it with `fairdarts doctor "
        f"--download {kind}`, or set FAIRDARTS_DATA to where it lies."
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn a failure to read `path` inside the block into a DataError."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def existing_directory(directory: str, kind: str, content: str) -> Path:
    """The absolute path of DIR in a source KIND:DIR.

    Args:
        directory: DIR as the user wrote it.
        kind: folder or parquet.
        content: What the directory should hold, for the error.
    Raises:
        DataError: If it is not a directory.
    """
    path = Path(directory).expanduser().absolute()
    if not path.is_dir():
        raise DataError(
            f"{kind}:{directory} names no directory (looked at {path}): give the one that holds "
            f"{content}."
        )
    return path
