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
from results.store.manifest import Manifest, SealedFile, newest_manifest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

KEY = "stage_key"
FEW = 10
"""For so few stages it pays to look which row groups may have them."""
READERS = 2


@dataclass(frozen=True)
class OpenFile:
    """An open file with rows of a table; it can be read even if it is removed meanwhile."""

    path: Path
    file: "pa.NativeFile"
    written: SealedFile
    keys: frozenset[str]
    """Rows of these stages count."""
    is_part: bool
    """Whether the file has rows of other stages, too."""

    def check(self, columns: Collection[str] | None) -> None:
        """Compare its footer and some columns with their checksums; None: all of it."""
        check_blocks(self.file, self.path, self.written.num_bytes, self.written.sums, columns)

    def read(self, table: str, columns: Sequence[str] | None) -> "pa.Table":
        """Read some columns of the rows that count; None: all columns."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        from results.store.codec import rows_of

        reader = pq.ParquetFile(self.file)
        if not self.is_part:
            return rows_of(reader, table, columns)
        names = None if columns is None else [*columns, *({KEY} - set(columns))]
        rows = rows_of(reader, table, names, self._groups(reader.metadata))
        rows = rows.filter(pc.is_in(rows[KEY], pa.array(sorted(self.keys))))
        return rows if columns is None else rows.select(columns)

    def _groups(self, footer: "pq.FileMetaData") -> list[int] | None:
        """Row groups that may have rows of the stages."""
        if len(self.keys) > FEW:
            return None
        paths = [footer.schema.column(place).path for place in range(footer.num_columns)]
        place = paths.index(KEY)
        return [
            number
            for number in range(footer.num_row_groups)
            for of_keys in (footer.row_group(number).column(place).statistics,)
            if any(of_keys.min <= key <= of_keys.max for key in self.keys)
        ]


@dataclass(frozen=True)
class SealedRows:
    """Rows of a table in open files, not read yet."""

    table: str
    files: tuple[OpenFile, ...]

    def check(self, columns: Collection[str] | None) -> None:
        """Compare what is needed for some columns with its checksums; None: for all.

        Raises:
            DamagedFile: If a file is damaged.
        """
        needed = columns if columns is None else {*columns, KEY}
        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(lambda file: file.check(needed), self.files))

    def read(self, columns: Sequence[str] | None) -> "pa.Table":
        """Check and read some columns; None: all.

        Raises:
            DamagedFile: If a file is damaged.
        """
        from results.store.codec import concat

        self.check(columns)
        with ThreadPoolExecutor(READERS) as pool:
            parts = list(pool.map(lambda file: file.read(self.table, columns), self.files))
        return concat(self.table, parts, columns)

    def dataset(self) -> "ds.Dataset":
        """All rows of the files, for an engine that asks for some columns and row groups."""
        # Imported only here: this module imports pandas, which takes half a second.
        import pyarrow.dataset as ds

        parquet = ds.ParquetFileFormat()
        fragments = [parquet.make_fragment(one.file) for one in self.files]
        return ds.FileSystemDataset(fragments, SCHEMA[self.table].arrow, parquet)

    @property
    def keys(self) -> frozenset[str] | None:
        """The stages whose rows count; None: all rows of the files do."""
        if not any(one.is_part for one in self.files):
            return None
        return frozenset().union(*(one.keys for one in self.files))


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
    root: Path, manifest: Manifest, table: str, names: Collection[str] | None
) -> SealedRows | None:
    """Open the files with the rows of sealed stages.

    Args:
        root: The store.
        manifest: What is sealed.
        table: Name of the table.
        names: Keys of stages; None: of all sealed stages.
    Returns:
        None if no file has any.
    Raises:
        DamagedFile: If a file is missing, or its footer is damaged.
        FileNotFoundError: If a newer manifest has other files.
    """
    packs = [
        (pack, keys)
        for pack in manifest.packs
        if table in pack.files
        if (keys := pack.stages.keys() if names is None else pack.stages.keys() & names)
    ]
    if not packs:
        return None
    import pyarrow as pa

    files = []
    for pack, keys in packs:
        path = sealed_path(root, table, pack.name)
        is_part = len(keys) < pack.num_written
        try:
            file = pa.OSFile(str(path))
        except FileNotFoundError:
            if newest_manifest(root).number > manifest.number:
                raise
            raise DamagedFile(
                f"{path} is missing: restore it from a copy, or let `fairdarts store check "
                "--repair` note it, and run its sweeps again."
            ) from None
        files.append(OpenFile(path, file, pack.files[table], frozenset(keys), is_part))
    rows = SealedRows(table, tuple(files))
    rows.check(())
    return rows
