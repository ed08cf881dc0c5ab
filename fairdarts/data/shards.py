"""Which files of a `parquet:` source belong to a split; no torch, no pyarrow.

One rule: the files of the split NAME are called

- `NAME.parquet`, or
- `NAME-3.parquet`, numbered (`-`, `_`, `.` or nothing before the number), or
- `NAME-00003-of-00010.parquet`, as Hugging Face has them (a checksum may follow): then there must
  be as many as the names say.

Other files, such as `train_extra.parquet` or `trainval.parquet`, belong to no split.
"""

import re
from pathlib import Path
from typing import NamedTuple

from fairdarts.data.files import TEST_NAMES, Split, existing_directory
from fairdarts.data.folders import Reason, Skipped
from fairdarts.errors import DataError


class Shard(NamedTuple):
    """A file of a split, and what its name says."""

    path: Path
    number: int | None
    """Its number; None: the split is one file."""
    total: int | None
    """How many files there should be; None: the name does not say."""


def parquet_files(directory: str, split: Split) -> tuple[Path, ...]:
    """Find the Parquet files of one split of a `parquet:` source, in order of name.

    Args:
        directory: DIR of the source; the files lie in it or in its `data` folder.
        split: Which files to return; those of the other must be there too.
    Raises:
        DataError: If the directory or files of a split are missing, or its files are of two sets.
    """
    train, test = _both(directory)
    return train if split == "train" else test


def unused_files(directory: str) -> tuple[Skipped, ...]:
    """The other Parquet files beside those of the splits; arguments as of `parquet_files`."""
    train, test = _both(directory)
    others = set(train[0].parent.glob("*.parquet")) - {*train, *test}
    return tuple(
        Skipped(path, Reason.HIDDEN if path.name.startswith(".") else Reason.OTHER_SPLIT)
        for path in sorted(others)
    )


def _both(directory: str) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    top = existing_directory(directory, "parquet", "train*.parquet and test*.parquet")
    for place in (top, top / "data"):
        if train := _shards(place, "train"):
            break
    else:
        raise DataError(
            f"parquet:{directory} has no train.parquet, nor train-00000-of-00001.parquet and so "
            f"on, in {top} or {top / 'data'}{_alike(top, 'train')}."
        )
    for name in TEST_NAMES:
        if test := _shards(place, name):
            return _complete(train, "train"), _complete(test, name)
    wanted = ", ".join(f"{name}.parquet" for name in TEST_NAMES)
    raise DataError(
        f"parquet:{directory} has no test images in {place}: it needs one of {wanted} (or shards "
        f"such as test-00000-of-00001.parquet){_alike(place, 'test')}."
    )


def _shards(place: Path, name: str) -> list[Shard]:
    pattern = re.compile(
        rf"{re.escape(name)}(?:[-_.]?(\d+)(?:-of-(\d+))?(?:-[0-9a-f]{{16}})?)?"
        r"\.parquet"
    )
    shards = []
    for path in sorted(place.glob(f"{name}*.parquet")):
        if found := pattern.fullmatch(path.name):
            number, total = (int(text) if text else None for text in found.groups())
            shards.append(Shard(path, number, total))
    return shards


def _alike(place: Path, name: str) -> str:
    names = sorted(path.name for path in place.glob(f"{name}*.parquet"))
    return f"; of another name there: {', '.join(names)}" if names else ""


def _complete(shards: list[Shard], name: str) -> tuple[Path, ...]:
    """The files of one split, if they are one whole set.

    Raises:
        DataError: If some are missing or there are too many.
    """
    place = shards[0].path.parent
    first = shards[0]
    for shard in shards[1:]:
        if (shard.total, shard.number is None) != (first.total, first.number is None):
            raise DataError(
                f"{place} holds two sets of {name} files, {first.path.name} and {shard.path.name} "
                "among them: keep the files of one set."
            )
    by_number: dict[int | None, Shard] = {}
    for shard in shards:
        if (twin := by_number.setdefault(shard.number, shard)) is not shard:
            raise DataError(
                f"{place} holds number {shard.number} of the {name} files twice, "
                f"{twin.path.name} and {shard.path.name}: keep one of them."
            )
    if first.total is not None:
        start = 0 if 0 in by_number else 1  # Some tools count from one.
        numbers = range(start, start + first.total)
        if missing := [number for number in numbers if number not in by_number]:
            digits = len(first.path.name.removeprefix(f"{name}-").partition("-of-")[0])
            names = ", ".join(
                f"{name}-{number:0{digits}}-of-{first.total:0{digits}}" for number in missing[:3]
            )
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            raise DataError(
                f"{place} has {len(shards)} of {first.total} {name} files: {names}{more} "
                f"{'are' if len(missing) > 1 else 'is'} missing; fetch what is missing."
            )
        if beyond := [shard for n, shard in by_number.items() if n not in numbers]:
            raise DataError(
                f"{place} should have {first.total} {name} files, but {beyond[0].path.name} is one "
                "too many: remove what does not belong to the set."
            )
    return tuple(shard.path for shard in shards)
