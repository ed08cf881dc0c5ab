"""Where data sets are stored: used by loading and by fingerprinting; no torch.

`folders` and `shards` say which files of a directory are images, and of which split.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from fairdarts.config import DataConfig
from fairdarts.errors import DataError
from fairdarts.user_cache import user_cache

Split = Literal["train", "test"]
TEST_NAMES = ("test", "validation", "valid", "val")
"""Names that the test split may have, in order of preference."""
CIFAR_FILES: dict[str, dict[str, str]] = {
    "cifar10": {
        "cifar-10-batches-py/data_batch_1": "c99cafc152244af753f735de768cd75f",
        "cifar-10-batches-py/data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "cifar-10-batches-py/data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "cifar-10-batches-py/data_batch_4": "634d18415352ddfa80567beed471001a",
        "cifar-10-batches-py/data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "cifar-10-batches-py/test_batch": "40351d587109b95175f43aff81a1287e",
        "cifar-10-batches-py/batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    },
    "cifar100": {
        "cifar-100-python/train": "16019d7e3df5f24257cddd939b257f8d",
        "cifar-100-python/test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        "cifar-100-python/meta": "7973b15100ade9c7d40fb424638fde48",
    },
}
"""The files that torchvision unpacks from the archives and reads, below `download_root()`, each
with the MD5 that it must have."""


def download_root() -> Path:
    """Where CIFAR archives are kept: $FAIRDARTS_DATA, else ~/.cache/fairdarts."""
    return Path(os.environ.get("FAIRDARTS_DATA") or "~/.cache/fairdarts").expanduser()


def user_digests() -> Path | None:
    """Where this user's digests of images are kept, see `fairdarts.data.digests`; None: nowhere."""
    cache = user_cache()
    return cache and cache / "digests"


def unusable_cifar(kind: str) -> DataError:
    """The error that says where CIFAR was looked for and how to get it."""
    return DataError(
        f"{kind} is missing or damaged in {download_root()}: fetch it with `fairdarts doctor "
        f"--download {kind}`, or set FAIRDARTS_DATA to the folder that holds it."
    )


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn a failure to read `path` inside the block into a DataError."""
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> DataError:
    """The error that says which file could not be read, and why."""
    return DataError(f"{path} cannot be read: {error.strerror}.")


def split_names(config: DataConfig, split: Split) -> tuple[str, ...]:
    """Names that the folder or the files of a split may have, in order of preference."""
    train = config.train_split or "train"
    if split == "train":
        return (train,)
    if config.test_split is not None:
        return (config.test_split,)
    return tuple(name for name in TEST_NAMES if name != train)


def other_splits(config: DataConfig, split: Split, there: Iterable[str]) -> str:
    """End of an error message: the setting that chooses another split than the unusable one.

    Args:
        config: What was looked for.
        split: Which split.
        there: Names of the splits that exist.
    """
    # Never propose to train on the test images, or to test on the training images.
    other = split_names(config, "train") if split == "test" else split_names(config, "test")
    return remedy(f"data.{split}_split", [name for name in there if name not in other])


def remedy(setting: str, choices: Sequence[str]) -> str:
    """End of an error message: what to set; empty if there is no choice."""
    if len(choices) > 1:
        return f": set {setting} to one of: {', '.join(choices)}"
    return f": set {setting} to {choices[0]}" if choices else ""


def is_directory(path: Path) -> bool:
    """Whether a path is a directory.

    Raises:
        DataError: If that cannot be told: its name is too long, or a folder above it is closed.
    """
    with reading(path):
        return path.is_dir()


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
    if not is_directory(path):
        raise DataError(
            f"{kind}:{directory} is not a directory (looked at {path}): give the one that holds "
            f"{content}."
        )
    return path
