"""Makes a manifest again from the sealed files, when both of its copies are lost or damaged.

The files say which stages they have, by which attempt, and how these ended. What only the manifest
knew is lost: the checksums, so that only those which Parquet keeps of each page are compared, and
what was deleted, if its rows were not removed yet.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from results.errors import StoreError
from results.statuses import AttemptStatus
from results.store.blocks import block_sums
from results.store.layout import LOST_AND_FOUND, ROWS_OF, SEALED, pack_number
from results.store.manifest import (
    Manifest,
    Pack,
    SealedFile,
    SealedStage,
    commit,
    manifest_numbers,
)
from results.store.sealed import KEY
from results.store.store import Store
from results.store.sweeping import sweep

SAYS = {
    "attempts": ("attempt", "kind", "status"),
    "genotypes": ("valid", "invalid_reason"),
}
"""Columns that say what the manifest said; of other tables only the keys are needed."""
Rows = list[dict[str, object]]


def rebuild(store: Store) -> None:
    """Write a manifest that names all packs that are whole, and move the others to lost+found.

    Raises:
        StoreError: If another process has written one at the same time.
        OSError: If the store cannot be written.
    """
    files: dict[str, dict[str, Path]] = defaultdict(dict)
    for path in (store.root / SEALED).glob("*/*.parquet"):
        if pack_number(path.stem):
            files[path.stem][path.parent.name] = path
    packs, taken = [], set[str]()
    # A seal that was killed may have left packs whose stages are in older ones or live, too.
    for name in sorted(files, reverse=True):
        pack = _pack(name, files[name])
        stages = {key: stage for key, stage in pack.stages.items() if key not in taken}
        taken |= stages.keys()
        if stages:
            packs.append(replace(pack, stages=stages))
        else:
            _move_away(store, files[name])
    number = max([*manifest_numbers(store.root), *map(pack_number, files)]) + 1
    manifest = Manifest(number, tuple(packs))
    if not commit(store.root, manifest):
        raise StoreError(f"another process sealed results in {store.root}: repair it again.")
    sweep(store, manifest)


def _pack(name: str, files: Mapping[str, Path]) -> Pack:
    """The pack of these files; without stages if they are damaged or not all there."""
    try:
        rows = {table: _rows(table, path) for table, path in files.items()}
        stages = _stages(rows)
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError):
        return Pack(name, 0, {}, {})
    sealed = {}
    for table, path in files.items():
        content = path.read_bytes()
        sealed[table] = SealedFile(len(rows[table]), len(content), tuple(block_sums(content)))
    return Pack(name, len(stages), stages, sealed)


def _rows(table: str, path: Path) -> Rows:
    """What the rows of a file say, after all of its pages were compared with their checksums."""
    rows: Rows = []
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            rows += file.read_row_group(group).select([KEY, *SAYS.get(table, ())]).to_pylist()
    return rows


def _stages(rows: Mapping[str, Rows]) -> dict[str, SealedStage]:
    """The stages of a pack.

    Raises:
        LookupError: If rows of a stage are missing, because a seal was killed while it wrote them.
    """
    keys = {table: {row[KEY] for row in of_table} for table, of_table in rows.items()}
    reasons = {
        row[KEY]: str(row["invalid_reason"])
        for row in rows.get("genotypes", [])
        if row["valid"] is False
    }
    stages = {}
    for row in sorted(rows["attempts"], key=lambda row: int(str(row["attempt"]))):
        key, kind = str(row[KEY]), str(row["kind"])
        if row["status"] == AttemptStatus.OK:
            stages[key] = SealedStage(kind, int(str(row["attempt"])), reasons.get(key))
    for key, stage in stages.items():
        if any(key not in keys[table] for table in ROWS_OF[stage.kind]):
            raise LookupError(key)
    return stages


def _move_away(store: Store, files: Mapping[str, Path]) -> None:
    for path in files.values():
        target = store.root / LOST_AND_FOUND / path.relative_to(store.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
