"""Reads the rows of sealed stages, without those that nobody asked for."""

from collections.abc import Collection, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import DamagedFile
from results.schema import SCHEMA
from results.store.blocks import CheckedFile
from results.store.layout import SEALED
from results.store.manifest import Manifest, Pack, newest_manifest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

KEY = "stage_key"
FEW = 10
"""For so few stages it pays to look which row groups may have them."""
READERS = 2
BATCH_ROWS = 16_384


@dataclass(frozen=True)
class OpenFile:
    """An open file with rows of a table."""

    file: CheckedFile
    keys: Set[str]
    """Rows of these stages count."""
    is_part: bool
    """Whether the file has rows of other stages, too."""

    def read(self, table: str, columns: Sequence[str] | None) -> "pa.Table":
        """Read some columns of the rows that count; None: all columns."""
        import pyarrow as pa
        import pyarrow.compute as pc

        from results.store.codec import rows_of

        reader = self._reader()
        if not self.is_part:
            return rows_of(reader, table, columns)
        names = None if columns is None else [*columns, *({KEY} - set(columns))]
        rows = rows_of(reader, table, names, self._groups(reader.metadata))
        rows = rows.filter(pc.is_in(rows[KEY], pa.array(sorted(self.keys))))
        return rows if columns is None else rows.select(columns)

    def fragment(self, parquet: "ds.ParquetFileFormat") -> "ds.Fragment":
        """The row groups that may have rows that count, not read yet."""
        groups = self._groups(self._reader().metadata) if len(self.keys) <= FEW else None
        return parquet.make_fragment(self._source, row_groups=groups)

    @cached_property
    def _source(self) -> "pa.NativeFile":
        """One for all, because it is what keeps threads apart."""
        import pyarrow as pa

        return pa.PythonFile(self.file, mode="r")

    def _reader(self) -> "pq.ParquetFile":
        import pyarrow.parquet as pq

        return pq.ParquetFile(self._source)

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
    """Rows of a table in open files, not read yet. What is read later is checked then."""

    table: str
    files: tuple[OpenFile, ...]

    def check(self) -> None:
        """Compare the files as a whole with their checksums.

        Raises:
            DamagedFile: If a file is damaged.
        """
        for one in self.files:
            one.file.check()

    def read(self, columns: Sequence[str] | None) -> "pa.Table":
        """Read some columns; None: all.

        Raises:
            DamagedFile: If a file is damaged.
        """
        from results.store.codec import concat

        with ThreadPoolExecutor(READERS) as pool:
            parts = list(pool.map(lambda file: file.read(self.table, columns), self.files))
        return concat(self.table, parts, columns)

    def dataset(self) -> "ds.Dataset":
        """All rows of the files, for an engine that asks for some columns and row groups."""
        # Imported only here: this module imports pandas, which takes half a second.
        import pyarrow.dataset as ds

        parquet = ds.ParquetFileFormat()
        fragments = [one.fragment(parquet) for one in self.files]
        return ds.FileSystemDataset(fragments, SCHEMA[self.table].arrow, parquet)

    def batches(self, columns: Sequence[str]) -> "Iterator[pa.RecordBatch]":
        """Read some columns, the key among them, of a few thousand rows at a time.

        Raises:
            DamagedFile: If a file is damaged.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        keys = None if self.keys is None else pa.array(sorted(self.keys))
        try:
            for batch in self.dataset().to_batches(
                columns=list(columns), batch_size=BATCH_ROWS, use_threads=False
            ):
                yield batch if keys is None else batch.filter(pc.is_in(batch[KEY], keys))
        except (OSError, pa.ArrowException):
            if self.damage is not None:
                raise self.damage from None
            raise

    @property
    def damage(self) -> DamagedFile | None:
        """The damage that an engine has met, if there is any."""
        return next((one.file.damage for one in self.files if one.file.damage), None)

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

    def batches(self, columns: Sequence[str]) -> "Iterator[pa.RecordBatch]":
        """Read some columns, the key among them, of a few thousand rows at a time.

        Raises:
            DamagedFile: If a file is damaged.
        """
        import pyarrow as pa

        sealed = () if self.sealed is None else self.sealed.batches(columns)
        waiting: list[pa.RecordBatch] = []  # Many files and row groups have a few rows each.
        for batch in chain(self.live.select(list(columns)).to_batches(BATCH_ROWS), sealed):
            waiting.append(batch)
            if sum(map(len, waiting)) >= BATCH_ROWS:
                yield pa.concat_batches(waiting)
                waiting = []
        if waiting:
            yield pa.concat_batches(waiting)


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
        DamagedFile: If a file is missing, or has another size.
        FileNotFoundError: If a newer manifest has other files.
    """
    wanted = None if names is None else frozenset(names)
    files = []
    for pack in manifest.packs:
        keys: Set[str] = pack.stages.keys()
        if wanted is not None and not keys <= wanted:
            keys &= wanted
        if table in pack.files and keys:
            file = _opened(root, manifest, table, pack)
            files.append(OpenFile(file, keys, is_part=len(keys) < pack.num_written))
    return SealedRows(table, tuple(files)) if files else None


def _opened(root: Path, manifest: Manifest, table: str, pack: Pack) -> CheckedFile:
    path, written = sealed_path(root, table, pack.name), pack.files[table]
    try:
        return CheckedFile(path, written.num_bytes, written.sums)
    except FileNotFoundError:
        if newest_manifest(root).number > manifest.number:
            raise
        raise DamagedFile(
            f"{path} is missing: restore it from a copy, or let `fairdarts store check "
            "--repair` note it, and run its sweeps again."
        ) from None
