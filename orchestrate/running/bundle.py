"""The folder of an exported sweep: what is in it, and how it is read without trusting it.

```
README.txt             what the folder is
BUNDLE.json            format, sweep, and size and sha256 of every other file
submissions.json       the plans of the sweep, as in `sweeps/<name>/` of the store
stages.json            every stage of which there are rows: how it ended
trials.parquet         the tables, with columns and units as in docs/tables.md
attempts.parquet, epochs.parquet, genotypes.parquet, retrains.parquet
weights/<key>.safetensors    of retrained networks, if they were asked for
```

Reading opens no file but those that this page names: a name that the folder gives is compared with
them, and never becomes a path. Links are not followed, and nothing is read before its size and its
checksum have been compared.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrate.errors import SweepError

FORMAT = "fairdarts-sweep"
VERSION = 1
INDEX = "BUNDLE.json"
README = "README.txt"
SUBMISSIONS = "submissions.json"
STAGES = "stages.json"
TABLES = ("attempts", "epochs", "genotypes", "retrains")
WEIGHTS = "weights"
DOCUMENTS = (README, SUBMISSIONS, STAGES)
MAX_DOCUMENT = 1 << 30
"""Most bytes of a JSON document: a plan of 100,000 trials has half of it."""
MAX_INDEX = 1 << 26
CHUNK = 1 << 20
_WEIGHTS = re.compile(r"weights/[0-9a-f]{16}\.safetensors")


class Strict(BaseModel):
    """Takes nothing but what its fields say."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FileEntry(Strict):
    """What BUNDLE.json says of a file."""

    num_bytes: int
    sha256: str


class Index(Strict):
    """The content of BUNDLE.json."""

    format: str
    version: int
    sweep: str
    files: dict[str, FileEntry]


class WeightsEntry(Strict):
    """What the record of a checkpoint says."""

    epoch: int
    bitwise_key: str


class StageEntry(Strict):
    """How a stage ended: an item of stages.json."""

    kind: str
    key: str
    attempt: int
    """Of a stage that is done, the attempt that finished it; else the last one."""
    done: bool
    invalid: str | None
    """Why no network can be built from its genotype; null: one can."""
    failures: list[dict[str, Any]]
    """The content of the FAILED.json of each attempt that has one."""
    weights: WeightsEntry | None


def weights_name(key: str) -> str:
    """Name of the file with the weights of a retraining."""
    return f"{WEIGHTS}/{key}.safetensors"


def table_name(table: str) -> str:
    """Name of the file with a table."""
    return f"{table}.parquet"


@dataclass(frozen=True)
class Bundle:
    """An exported sweep whose files all have the right size and checksum."""

    folder: Path
    index: Index
    stages: tuple[StageEntry, ...]
    submissions: tuple[dict[str, Any], ...]

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """One of its files, open for reading."""
        with _opened(self.folder, name) as file:
            yield file


def read_bundle(folder: Path, room: Path) -> Bundle:
    """Check the folder of an exported sweep.

    Args:
        folder: What to read.
        room: Where it will be written to.
    Raises:
        SweepError: If it is not one, or a file is missing, damaged, larger than there is room for,
            or none that such a folder has.
    """
    if not folder.is_dir():
        raise SweepError(f"{folder} is not a folder: give one that `sweep export` has written.")
    index = _parsed(folder, INDEX, MAX_INDEX, Index.model_validate)
    if index.format != FORMAT or index.version != VERSION:
        raise SweepError(
            f"{folder / INDEX} has format {index.format[:40]!r} and version {index.version}, this "
            f"program reads {FORMAT!r} and version {VERSION}: install a newer fairdarts, or give "
            "another folder."
        )
    needed = {*DOCUMENTS, "trials.parquet", *map(table_name, TABLES)}
    for name in sorted(index.files.keys() - needed):
        if not _WEIGHTS.fullmatch(name):
            raise _damaged(folder / INDEX, f"it names {name[:80]!r}")
    if missing := sorted(needed - index.files.keys()):
        raise _damaged(folder / INDEX, f"it does not name {missing[0]}")
    total, free = sum(one.num_bytes for one in index.files.values()), shutil.disk_usage(room).free
    if total > free:
        raise SweepError(
            f"{folder} has {total:,} bytes, and {free:,} are free in {room}: make room first."
        )
    for name, entry in index.files.items():
        _check(folder, name, entry)
    stages = _parsed(folder, STAGES, MAX_DOCUMENT, _stages)
    submissions = _parsed(folder, SUBMISSIONS, MAX_DOCUMENT, _dicts)
    return Bundle(folder, index, stages, submissions)


def _stages(document: Any) -> tuple[StageEntry, ...]:
    return tuple(StageEntry.model_validate(item) for item in document)


def _dicts(document: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
        raise TypeError("it is not a list of plans")
    return tuple(document)


def _parsed(folder: Path, name: str, most: int, parse: Callable[[Any], Any]) -> Any:
    with _opened(folder, name) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise _damaged(folder / name, f"it has more than {most:,} bytes")
    try:
        return parse(json.loads(content))
    except (ValidationError, ValueError, TypeError, RecursionError) as error:
        where = str(error).splitlines()[0]
        raise _damaged(folder / name, f"its content cannot be used: {where[:120]}") from None


def _check(folder: Path, name: str, entry: FileEntry) -> None:
    digest, left = hashlib.sha256(), entry.num_bytes
    with _opened(folder, name) as file:
        size = os.fstat(file.fileno()).st_size
        if size != entry.num_bytes:
            raise _damaged(folder / name, f"it has {size:,} bytes instead of {left:,}")
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != entry.sha256:
        raise _damaged(folder / name, "its checksum does not match")


@contextlib.contextmanager
def _opened(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Open a regular file of the folder; never one that a link leads to."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # A pipe must not make it wait.
    parts = name.split("/")
    with contextlib.ExitStack() as stack:
        try:
            place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, place)
            for part in parts[:-1]:
                place = os.open(part, flags | os.O_DIRECTORY, dir_fd=place)
                stack.callback(os.close, place)
            descriptor = os.open(parts[-1], flags, dir_fd=place)
        except FileNotFoundError:
            raise _damaged(folder / name, "it is missing") from None
        except OSError as error:
            raise _damaged(folder / name, f"it cannot be opened: {error.strerror}") from None
        file = stack.enter_context(os.fdopen(descriptor, "rb"))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _damaged(folder / name, "it is not a file")
        yield file


def damaged(bundle: Bundle, name: str, reason: str) -> SweepError:
    """The error about a file whose content cannot be used."""
    return _damaged(bundle.folder / name, reason)


def _damaged(path: Path, reason: str) -> SweepError:
    return SweepError(
        f"{path} is damaged or was not written by `sweep export` ({reason}): nothing is imported; "
        "export the sweep again."
    )


def entries(files: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Size and checksum of files, for BUNDLE.json."""
    found = {}
    for name, path in files.items():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found[name] = {"num_bytes": path.stat().st_size, "sha256": digest}
    return found
