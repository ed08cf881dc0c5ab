"""Which files of a `parquet:` source belong to a split; no torch, no pyarrow.

One rule: the files of the split NAME are called

- `NAME.parquet`, or
- `NAME-3.parquet`, numbered (`-`, `_`, `.` or nothing before the number), or
- `NAME-00003-of-00010.parquet`, as on the Hugging Face hub (a checksum may follow); then all ten
  must be there, or
- `NAME/*.parquet`, if there are none of the above.

Other files, such as `train_extra.parquet` or `trainval.parquet`, do not belong to a split. The
files are in the directory that the source names, or in its `data` folder, or else in the only
folder there that has training files: Hugging Face names that folder after the data set.
"""

import re
from pathlib import Path
from typing import NamedTuple, get_args

from fairdarts.config import DataConfig
from fairdarts.data.files import Split, existing_directory, other_splits, reading, split_names
from fairdarts.data.folders import Reason, Skipped
from fairdarts.errors import DataError

_NUMBERS = r"(?:[-_.]?(?P<number>\d+)(?:-of-(?P<total>\d+))?(?:-[0-9a-f]{16})?)?\.parquet"
"""Pattern of what follows the name of the split in the name of a file."""


class Shard(NamedTuple):
    """A file of a split, and what its name says."""

    path: Path
    number: int | None
    """Its number; None: the split is one file."""
    total: int | None
    """How many files there should be; None: the name does not say."""


def parquet_files(config: DataConfig, split: Split) -> tuple[Path, ...]:
    """Find the Parquet files of one split of a `parquet:` source, in order of name.

    Args:
        config: Names the source and its splits.
        split: Which files to return; those of the other split must be there too.
    Raises:
        DataError: If the directory or files of a split are missing, or if there are two sets.
    """
    place = _place(config)
    train, test = (_split_files(place, config, name) for name in get_args(Split))
    return train if split == "train" else test


def unused_files(config: DataConfig) -> tuple[Skipped, ...]:
    """Parquet files in the same folder that are not of a split, see `parquet_files`."""
    place = _place(config)
    used = {path for name in get_args(Split) for path in _split_files(place, config, name)}
    return tuple(
        Skipped(path, Reason.HIDDEN if path.name.startswith(".") else Reason.OTHER_SPLIT)
        for path in sorted(set(place.glob("*.parquet")) - used)
    )


def other_test_splits(config: DataConfig) -> str:
    """End of an error message about the test images: the setting that chooses other ones."""
    place = _place(config)
    used = next(name for name in split_names(config, "test") if _shards(place, name))
    return other_splits(config, "test", [name for name in _splits_in(place) if name != used])


def _place(config: DataConfig) -> Path:
    """The folder that the files are in."""
    directory = config.source.partition(":")[2]
    top = existing_directory(directory, "parquet", "train*.parquet and test*.parquet")
    (name,) = split_names(config, "train")
    for place in (top, top / "data"):
        if _shards(place, name):
            return place
    inside = [place for place in _folders(top) if _shards(place, name)]
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise DataError(
            f"parquet:{directory} holds {len(inside)} data sets: give one of "
            f"{', '.join(f'parquet:{place}' for place in inside)}."
        )
    there = [*_splits_in(top), *_splits_in(top / "data")]
    raise DataError(
        f"parquet:{directory} has no {name}.parquet, nor {name}-00000-of-00001.parquet and so on, "
        f"in {top} or {top / 'data'}{other_splits(config, 'train', there)}."
    )


def _split_files(place: Path, config: DataConfig, split: Split) -> tuple[Path, ...]:
    names = split_names(config, split)
    for name in names:
        if shards := _shards(place, name):
            return _complete(shards, name)
    wanted = ", ".join(f"{name}.parquet" for name in names)
    raise DataError(
        f"{config.source} has no test images in {place}: it needs "
        f"{'one of ' if len(names) > 1 else ''}{wanted} (or shards such as "
        f"{names[0]}-00000-of-00001.parquet){other_splits(config, split, _splits_in(place))}."
    )


def _shards(place: Path, name: str) -> list[Shard]:
    shards = [
        Shard(path, *numbers)
        for path in _parquet_in(place)
        if (numbers := _numbers(path, name)) is not None
    ]
    return shards or [
        Shard(path, *(_numbers(path, name) or (position, None)))
        for position, path in enumerate(_parquet_in(place / name))
    ]


def _numbers(path: Path, name: str) -> tuple[int | None, int | None] | None:
    """Number and total in the name of a file of the split `name`; None: it is not one."""
    if not (found := re.fullmatch(re.escape(name) + _NUMBERS, path.name)):
        return None
    number, total = (int(text) if text else None for text in (found["number"], found["total"]))
    return number, total


def _splits_in(place: Path) -> list[str]:
    """Names of the splits in a folder."""
    names = {re.sub(f"(?<=.){_NUMBERS}$", "", path.name) for path in _parquet_in(place)}
    return sorted(names | {folder.name for folder in _folders(place) if _parquet_in(folder)})


def _parquet_in(place: Path) -> list[Path]:
    with reading(place):  # The name of a split can be too long for a folder.
        return sorted(path for path in place.glob("*.parquet") if not path.name.startswith("."))


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.glob("*/") if not path.name.startswith("."))


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
