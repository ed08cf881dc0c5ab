"""Identify the images of one split by their content, wherever they are stored.

Nothing here imports torch, scikit-learn or pyarrow.
"""

import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from fairdarts.config import DataConfig
from fairdarts.data.digests import Groups, Progress, digest_of_lines, digests, look
from fairdarts.data.files import (
    CIFAR_FILES,
    Split,
    download_root,
    unusable_cifar,
    user_digests,
)
from fairdarts.data.folders import class_files
from fairdarts.data.shards import parquet_files
from fairdarts.errors import DataError

NUM_GROUPS = 1024
"""The files of a folder are put into this many groups by their paths. So only this many digests are
kept for a split of any size, and if one image changes, a thousandth of the files is read again."""


def fingerprint(
    config: DataConfig,
    split: Split,
    *,
    shared: Path | None = None,
    on_progress: Progress = lambda done, total: None,
) -> str:
    """Identify the images of one split of the data source, as in `parquet-train-0123456789abcdef`.

    It depends neither on the images of the other split, nor on the place of the files, nor on other
    settings of `config`. Files are read in full the first time and after a change; otherwise it
    costs one stat for each, see `fairdarts.data.digests`.

    Args:
        config: Names the source.
        split: Which images.
        shared: A folder that keeps digests for several machines, in addition to this user's own.
        on_progress: Called while files are read.
    Raises:
        DataError: If files are missing; the sentence is that of `fairdarts.data.sources.load`.
    """
    kind = config.source.partition(":")[0]
    name = f"{kind}-{split}"
    directory, groups = _files(config, split)
    if kind == "digits":  # Reading this small file is faster than looking it up.
        found = digests(directory, groups, _of_one)
        return f"{name}-{digest_of_lines(found.values())[:16]}"
    found = digests(
        directory,
        groups,
        _of_many if kind in ("folder", "imagenet") else _of_one,
        algorithm="md5" if kind in CIFAR_FILES else "sha256",
        kept_in=[folder for folder in (user_digests(), shared) if folder is not None],
        on_progress=on_progress,
    )
    if kind in CIFAR_FILES:  # This name stands for the published files only.
        if found != CIFAR_FILES[kind]:
            raise unusable_cifar(kind)
        return name
    lines = [f"{group} {digest}" for group, digest in found.items()]
    if kind == "parquet":
        from fairdarts.data.labels import class_orders  # pyarrow: only where it is needed.

        # Earlier versions matched classes by number, so files whose classes have another order got
        # wrong labels. With this line their stages have other keys than those wrong results.
        lines += map(repr, class_orders(config, split))
    return f"{name}-{digest_of_lines(lines)[:16]}"


def stored_state(config: DataConfig, split: Split) -> str:
    """A text that changes when a file of the split changes; it costs one stat for each file.

    Raises:
        DataError: If files are missing; the sentence is that of `fairdarts.data.sources.load`.
    """
    return look(*_files(config, split))


def _files(config: DataConfig, split: Split) -> tuple[Path, Groups]:
    """The files of a split, in groups, below a directory."""
    kind = config.source.partition(":")[0]
    if kind == "digits":
        return digits_folder(), {"digits": ["digits.csv.gz"]}
    if kind == "parquet":
        shards = parquet_files(config, split)
        return shards[0].parent, {shard.name: [shard.name] for shard in shards}
    if kind in ("folder", "imagenet"):
        files = class_files(config, split)
        return files.directory, _by_path(files.by_class.values())
    if not all((download_root() / name).is_file() for name in CIFAR_FILES[kind]):
        raise unusable_cifar(kind)
    return download_root(), {name: [name] for name in CIFAR_FILES[kind]}


def _by_path(by_class: Iterable[Sequence[str]]) -> Groups:
    groups: dict[int, list[str]] = defaultdict(list)
    for paths in by_class:
        for path in paths:
            # Not Python's `hash`, which gives a text another number in every process.
            groups[zlib.crc32(os.fsencode(path)) % NUM_GROUPS].append(path)
    return {str(number): groups[number] for number in sorted(groups)}


def _of_one(paths: Sequence[str], found: Sequence[str]) -> str:
    (digest,) = found
    return digest


def _of_many(paths: Sequence[str], found: Sequence[str]) -> str:
    return digest_of_lines(f"{path} {digest}" for path, digest in zip(paths, found, strict=True))


def digits_folder() -> Path:
    """The folder in which scikit-learn keeps the digits.

    Raises:
        DataError: If it is not installed.
    """
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError("The digits come with scikit-learn, which is not installed: install it.")
    return Path(spec.origin).parent / "datasets" / "data"
