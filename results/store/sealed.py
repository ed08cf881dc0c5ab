"""Reads the rows of sealed stages, without those that nobody asked for."""

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import DamagedFile
from results.schema import SCHEMA
from results.store.blocks import check_blocks
from results.store.layout import SEALED
from results.store.manifest import Manifest, Pack, newest_manifest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds

CHECKERS = 2


@dataclass(frozen=True)
class SealedRows:
    """Files with rows of a table, not read yet."""

    dataset: "ds.Dataset"
    keys: frozenset[str] | None
    """Only rows of these stages count: the files have others, too. None: all rows count."""

    def read(self, columns: Sequence[str] | None) -> "pa.Table":
        """Read some columns of these rows, which must have been checked; None: all."""
        import pyarrow.dataset as ds

        chosen = None if self.keys is None else ds.field("stage_key").isin(sorted(self.keys))
        return self.dataset.to_table(columns=columns and list(columns), filter=chosen)


@dataclass(frozen=True)
class Rows:
    """Rows of a table: those of live files, and those that are sealed."""

    live: "pa.Table"
    sealed: SealedRows | None
    """None: no sealed file has any."""


def sealed_path(root: Path, table: str, pack: str) -> Path:
    """File of a table in a pack."""
    return root / SEALED / table / f"{pack}.parquet"


def sealed_rows(
    root: Path,
    manifest: Manifest,
    table: str,
    names: Collection[str] | None,
    columns: Sequence[str] | None,
) -> SealedRows | None:
    """Find the rows of sealed stages, and compare what has to be read of them with its checksums.

    Args:
        root: The store.
        manifest: What is sealed.
        table: Name of the table.
        names: Keys of stages; None: of all sealed stages.
        columns: Columns that will be read; None: all.
    Returns:
        None if no file has any.
    Raises:
        DamagedFile: If a file is damaged or missing.
        FileNotFoundError: If a newer manifest has other files.
    """
    packs, keys, is_part = [], set[str](), False
    for pack in manifest.packs:
        wanted = pack.stages.keys() if names is None else pack.stages.keys() & names
        if wanted and table in pack.files:
            packs.append(pack)
            keys |= wanted
            is_part = is_part or len(wanted) < pack.num_written
    if not packs:
        return None
    import pyarrow as pa
    import pyarrow.dataset as ds

    needed = None if columns is None else {*columns, "stage_key"}

    def checked(pack: Pack) -> "pa.NativeFile":
        path = sealed_path(root, table, pack.name)
        file = pack.files[table]
        check_blocks(path, file.num_bytes, file.sums, needed)
        return pa.OSFile(str(path))

    try:
        with ThreadPoolExecutor(CHECKERS) as pool:
            files = list(pool.map(checked, packs))
    except FileNotFoundError as error:
        if newest_manifest(root) != manifest:
            raise
        raise DamagedFile(
            f"{error.filename} is missing: restore it from a copy, or let `fairdarts store check "
            "--repair` note it, and run its sweeps again."
        ) from None
    parquet = ds.ParquetFileFormat()
    fragments = [parquet.make_fragment(file) for file in files]
    dataset = ds.FileSystemDataset(fragments, SCHEMA[table].arrow, parquet)
    return SealedRows(dataset, frozenset(keys) if is_part else None)
