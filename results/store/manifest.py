"""The manifest: which stages are sealed, which files have their rows, and what is deleted.

A sealed stage is done, and the manifest has all that its own files say about that. Manifests are
numbered, and only the newest one counts. A change writes new files first, and then claims the next
number: of many processes that try, one succeeds, and what the others wrote is garbage. So there are
no locks, and a process that was killed or suspended at any moment changes nothing.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from results.errors import DamagedFile, StoreError
from results.store.files import claim_whole, write_whole
from results.store.layout import (
    SEALED,
    STAGE_KINDS,
    live_name,
    manifest_name,
    manifest_number,
    pack_number,
)

SIGNED = '{"sha256": "%s", "manifest": %s}\n'
"""What the file looks like: the digest is that of the text of the manifest."""
COPY = ".copy"
"""Suffix of the second copy of a manifest: the only one would be a single point of failure."""


@dataclass(frozen=True)
class SealedStage:
    """A stage whose rows are sealed; what `DONE.json` said of it."""

    kind: str
    attempt: int
    """Attempt that finished it. All attempts up to this one are sealed."""
    invalid: str | None = None
    """Why no network can be built from its genotype; None: the outcome is ok."""


@dataclass(frozen=True)
class SealedFile:
    """The rows of one table in a pack."""

    num_rows: int
    num_bytes: int
    sums: tuple[str, ...]
    """See `blocks.block_sums`."""


@dataclass(frozen=True)
class Pack:
    """Some stages that were sealed together: at most one file for each table."""

    name: str
    num_written: int
    """How many stages its files have: more than `stages`, if some were deleted since."""
    stages: Mapping[str, SealedStage]
    files: Mapping[str, SealedFile]
    """By table. A table without rows has no file."""


@dataclass(frozen=True)
class Deleted:
    """What does not count any more, whether its files are removed yet or not.

    Numbers go on after them: a stage that is computed again makes a later attempt, and a sweep that
    is run again a later submission. So nothing that an old process writes comes back.
    """

    stages: Mapping[str, SealedStage] = field(default_factory=dict)
    """By key. Of each stage, all attempts up to this one that are not sealed."""
    sweeps: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By name. Of each sweep, the numbers of submissions."""

    def attempt(self, key: str) -> int:
        """Number of the last attempt at a stage that is deleted, 0 if none is."""
        stage = self.stages.get(key)
        return stage.attempt if stage is not None else 0


@dataclass(frozen=True)
class Manifest:
    """Everything that is sealed, and everything that is deleted."""

    number: int = 0
    """0: nothing was ever sealed or deleted."""
    packs: tuple[Pack, ...] = ()
    deleted: Deleted = Deleted()

    @cached_property
    def stages(self) -> dict[str, SealedStage]:
        """Every sealed stage, by key."""
        return {key: stage for pack in self.packs for key, stage in pack.stages.items()}


def newest_manifest(root: Path) -> Manifest:
    """Read the newest manifest of a store.

    Raises:
        DamagedFile: If it is damaged.
    """
    while True:
        number = max(manifest_numbers(root), default=0)
        if not number:
            if not is_lost(root):
                return Manifest()
            if manifest_numbers(root):  # It has been claimed a moment ago.
                continue
            raise DamagedFile(
                f"{root / SEALED} has sealed results, but its MANIFEST is gone: run `fairdarts "
                "store check --repair`, which makes it again from them."
            )
        path = root / SEALED / manifest_name(number)
        for one in (path, copy_of(path)):
            # If both are gone, a newer one has replaced them a moment ago.
            with suppress(FileNotFoundError):
                stat = one.stat()
                return _loaded(one, number, (stat.st_ino, stat.st_mtime_ns, stat.st_size))


def manifest_numbers(root: Path) -> list[int]:
    """Numbers of the manifests that are there, or whose copies are."""
    try:
        with os.scandir(root / SEALED) as entries:  # Asked very often: paths would take longer.
            stems = {entry.name.rpartition(".")[0] for entry in entries}
    except FileNotFoundError:
        return []
    return [number for stem in stems if (number := manifest_number(stem))]


def is_lost(root: Path) -> bool:
    """Whether there are sealed rows that have neither a manifest nor live files.

    Before the first manifest is claimed there are packs without one, too. Their rows are live.
    """
    packs = (root / SEALED / "attempts").glob("*.parquet")
    return not manifest_numbers(root) and any(
        pack_number(path.stem) > 1 or (pack_number(path.stem) and not _is_live(root, path))
        for path in packs
    )


def _is_live(root: Path, pack: Path) -> bool:
    """Whether the first stage of a pack has live rows; if one has been removed, all have."""
    name = _first_stage(pack)
    return name is not None and (root / "live" / "attempts" / f"{name}.parquet").exists()


@lru_cache(maxsize=8)
def _first_stage(pack: Path) -> str | None:
    """The live name that the first row of a pack had; None: the file is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        row = pq.read_table(pack, columns=["stage_key", "attempt"]).slice(0, 1).to_pylist()[0]
        return live_name(row["stage_key"], row["attempt"])
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError, StoreError):
        return None


def commit(root: Path, manifest: Manifest) -> bool:
    """Make a manifest the newest one.

    Returns:
        False if another process was faster: then nothing has changed.
    """
    path = root / SEALED / manifest_name(manifest.number)
    content = encoded(manifest)
    # If its number was claimed and the file is gone again, newer manifests exist.
    if not claim_whole(path, content) or max(manifest_numbers(root)) != manifest.number:
        return False
    write_whole(copy_of(path), content)
    return True


def copy_of(path: Path) -> Path:
    """The second copy of a manifest."""
    return path.with_suffix(COPY)


def encoded(manifest: Manifest) -> bytes:
    """A manifest as JSON, with the sha256 of the rest of it."""
    packs = {
        pack.name: {
            "num_written": pack.num_written,
            "stages": _by_kind(pack.stages),
            "invalid": {
                key: one.invalid for key, one in pack.stages.items() if one.invalid is not None
            },
            "files": {
                table: {"num_rows": file.num_rows, "num_bytes": file.num_bytes, "sums": file.sums}
                for table, file in pack.files.items()
            },
        }
        for pack in manifest.packs
    }
    document: dict[str, Any] = {"number": manifest.number, "packs": packs}
    if (deleted := manifest.deleted) != Deleted():
        document["deleted"] = {
            "stages": _by_kind(deleted.stages),
            "sweeps": deleted.sweeps,
        }
    return _signed(json.dumps(document))


def decoded(path: Path, content: bytes) -> Manifest:
    """The inverse of `encoded`.

    Raises:
        DamagedFile: If it is not what `encoded` made.
    """
    try:
        text = content.decode()
        start = len(SIGNED % ("0" * 64, "")) - len("}\n")
        if _signed(text[start : -len("}\n")]) != content:
            raise ValueError("its checksum does not match")
        document = json.loads(text)["manifest"]
        packs = tuple(_pack(name, pack) for name, pack in document["packs"].items())
        deleted = document.get("deleted", {"stages": {}, "sweeps": {}})
        sweeps = {name: tuple(numbers) for name, numbers in deleted["sweeps"].items()}
        gone = Deleted(_stages(deleted["stages"]), sweeps)
        return Manifest(document["number"], packs, gone)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedFile(
            f"{path} is damaged ({error}): run `fairdarts store check --repair`, which restores it "
            "from its second copy, or from the sealed files."
        ) from None


@lru_cache(maxsize=8)
def _loaded(path: Path, number: int, identity: tuple[int, int, int]) -> Manifest:
    """A manifest is never changed, so it is parsed once; `identity` tells repaired ones apart."""
    manifest = decoded(path, path.read_bytes())
    if manifest.number != number:
        raise DamagedFile(f"{path} is damaged (it is manifest {manifest.number}): restore it.")
    return manifest


def _pack(name: str, pack: dict[str, Any]) -> Pack:
    stages = _stages(pack["stages"], pack["invalid"])
    files = {
        table: SealedFile(file["num_rows"], file["num_bytes"], tuple(file["sums"]))
        for table, file in pack["files"].items()
    }
    return Pack(name, pack["num_written"], stages, files)


def _by_kind(stages: Mapping[str, SealedStage]) -> dict[str, dict[str, int]]:
    return {
        kind: {key: one.attempt for key, one in stages.items() if one.kind == kind}
        for kind in STAGE_KINDS
    }


def _stages(
    by_kind: Mapping[str, Mapping[str, int]], invalid: Mapping[str, str] = MappingProxyType({})
) -> dict[str, SealedStage]:
    """The inverse of `_by_kind`; `invalid` has the reasons of invalid genotypes."""
    stage = cache(SealedStage)  # Most of tens of thousands are equal.
    return {
        key: stage(kind, attempt, invalid.get(key))
        for kind, keys in by_kind.items()
        for key, attempt in keys.items()
    }


def _signed(text: str) -> bytes:
    return (SIGNED % (hashlib.sha256(text.encode()).hexdigest(), text)).encode()
