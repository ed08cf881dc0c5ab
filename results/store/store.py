"""The store: one folder that many processes write and anybody reads, without locks.

Every live file has one writer and is written whole. A new attempt at a stage writes a new file.
Readers take the highest attempt of each stage, so an old attempt that wakes up does no harm. The
rows of finished stages are moved to a few large sealed files, see `seal`.
"""

import errno
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from results.errors import DamagedFile, StoreError
from results.store import layout
from results.store.files import read_json, write_json, write_whole
from results.store.manifest import Manifest, newest_manifest
from results.version import DELETED_MAJOR, SCHEMA_MAJOR, SCHEMA_MINOR, SEALED_MAJOR

if TYPE_CHECKING:
    import pyarrow as pa

    from results.store.sealed import Rows

# pyarrow is imported where Parquet is touched: planning a sweep needs paths only.

SUFFIX = ".parquet"
PARQUET_END = b"PAR1"
NUM_RETRIES = 3
GONE = (errno.ENOENT, errno.ESTALE)
"""A higher attempt replaced the file between listing and opening; ESTALE: the same on NFS."""


@dataclass(frozen=True)
class Store:
    """A results store. Use `Store.create` or `Store.open`, which check the folder."""

    root: Path

    @classmethod
    def create(cls, root: Path | str) -> Self:
        """Make `root` a store, or open it if it is one.

        Raises:
            StoreError: If `root` is an object store, a store of a newer major version, or a folder
                with other files.
            OSError: If it cannot be written.
        """
        store = cls._at(root)
        if not cls.exists_at(root):
            version = {"schema_major": SCHEMA_MAJOR, "schema_minor": SCHEMA_MINOR}
            write_json(store.root / layout.STORE_FILE, {"format": layout.FORMAT, **version})
        return cls.open(root)

    @classmethod
    def exists_at(cls, root: Path | str) -> bool:
        """Whether `root` is a store; if it is not, `create` can make it one.

        Raises:
            StoreError: If it cannot: `root` is a file, or a folder with other files.
        """
        folder = cls._at(root).root
        if (folder / layout.STORE_FILE).exists():
            return True
        file = next((path for path in (folder, *folder.parents) if path.is_file()), None)
        if file is not None:
            raise StoreError(f"store (={str(folder)!r}): {file} is a file; give a folder.")
        foreign = layout.foreign_names(folder)
        if foreign:
            others = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
            raise StoreError(
                f"{folder} holds other files ({foreign[0]}{others}) and is not a results store: "
                f"give another folder, such as --store {folder / 'fairdarts'}."
            )
        return False

    @classmethod
    def open(cls, root: Path | str) -> Self:
        """Open the store at `root`.

        Raises:
            StoreError: If `root` is not a store, or one of a newer major version.
            DamagedFile: If its `STORE.json` is damaged.
        """
        store = cls._at(root)
        path = store.root / layout.STORE_FILE
        try:
            header = read_json(path)
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(
                f"{store.root} is not a results store (it has no {layout.STORE_FILE}): run a sweep "
                "into it to make one, or give the folder of an existing store."
            ) from None
        if not isinstance(header, dict) or header.get("format") != layout.FORMAT:
            raise StoreError(
                f"{path} does not say that its folder is a {layout.FORMAT}: give another folder."
            )
        major = header.get("schema_major")
        if type(major) is not int or major < 1:
            raise DamagedFile(
                f"{path} is damaged (schema_major is {major!r}): restore it from a copy, or delete "
                "it and run the sweep again."
            )
        if major > DELETED_MAJOR:
            raise StoreError(
                f"{store.root} has schema version {major}, this program reads up to "
                f"{DELETED_MAJOR}: install a newer fairdarts."
            )
        return store

    @classmethod
    def _at(cls, root: Path | str) -> Self:
        layout.check_root(Path(root))
        # Workers run in other working directories, where a relative path would lead elsewhere.
        folder = Path(root).expanduser().absolute()
        try:
            str(folder).encode()
        except UnicodeEncodeError:
            raise StoreError(
                f"store (={str(folder)!r}) is not UTF-8 text here, which Ray needs: set "
                "LC_ALL=C.UTF-8, or give a folder with another name."
            ) from None
        return cls(folder)

    def check_writable(self) -> None:
        """Write a small file and remove it.

        Raises:
            StoreError: If the store cannot be written.
        """
        probe = self.root / f".probe-{os.getpid()}-{secrets.token_hex(4)}.tmp"
        try:
            write_whole(probe, b"")
        except OSError as error:
            raise StoreError(f"{self.root} cannot be written: {error.strerror}.") from None
        probe.unlink(missing_ok=True)

    def stage_dir(self, kind: str, key: str) -> Path:
        """Folder of one stage; its content belongs to the process that computes the stage."""
        return Path(self.stage_name(kind, key))

    def stage_name(self, kind: str, key: str) -> str:
        """Name of that folder: a path takes 10 us to make, and a sweep has tens of thousands."""
        layout.check_key(key)
        return f"{self.root}/stages/{layout.check_kind(kind)}/{key[:2]}/{key}"

    def training_path(self, key: str) -> Path:
        """File with the stage that trains a genotype; `key` hashes genotype and settings."""
        return self.root / "trainings" / layout.check_key(key)[:2] / f"{key}.json"

    def driver_dir(self, run: str) -> Path:
        """Folder of one run of a sweep, as long as it is alive; `run` has the form of a key."""
        return self.root / "drivers" / layout.check_key(run)

    def driver_dirs(self) -> list[Path]:
        """The folders of all runs that are alive, or whose processes could not remove them."""
        return sorted(
            path for path in (self.root / "drivers").glob("*") if layout.is_key(path.name)
        )

    @property
    def digests_dir(self) -> Path:
        """Where digests of images are kept for all machines that share the store."""
        return self.root / "digests"

    def sweep_dir(self, name: str) -> Path:
        """Folder with one file for each submission of the sweep."""
        return self.root / "sweeps" / layout.check_sweep(name)

    def submission_path(self, sweep: str, number: int) -> Path:
        """The plan of one submission of a sweep."""
        return self.sweep_dir(sweep) / f"{number:04d}.json"

    def submission_numbers(self, sweep: str) -> list[int]:
        """Numbers of the submissions of a sweep that are not deleted, sorted.

        A plan is a file here and rows in the table `trials`. One of them is enough to know of it.
        """
        deleted = self.manifest().deleted.sweeps.get(sweep, ())
        plans = [path.stem for path in self.sweep_dir(sweep).glob("*.json")]
        rows = [path.stem.partition(".")[2] for path in self._files(layout.PLAN_TABLE, [sweep])]
        numbers = {int(name) for name in (*plans, *rows) if name.isdecimal()}
        return sorted(numbers.difference(deleted))

    def sweep_names(self) -> list[str]:
        """Every sweep that was submitted to this store, sorted."""
        plans = [path.name for path in (self.root / "sweeps").glob("*")]
        rows = [path.stem.partition(".")[0] for path in self._files(layout.PLAN_TABLE, None)]
        names = sorted({name for name in (*plans, *rows) if layout.is_sweep(name)})
        deleted = self.manifest().deleted.sweeps
        return [name for name in names if name not in deleted or self.submission_numbers(name)]

    def live_path(self, table: str, name: str) -> Path:
        """File of a table that one writer writes."""
        layout.check_live_name(table, name)
        return self.root / "live" / table / f"{name}{SUFFIX}"

    def write_rows(self, table: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all rows of one writer, replacing those that it wrote before.

        Args:
            table: Name of the table.
            name: `layout.live_name` of the attempt, or `layout.plan_name` in the table `trials`.
            rows: Column name to value; a column left out is null. Times carry a time zone.
        Raises:
            StoreError: If there is no such table, or the name does not fit it.
            SchemaError: If the rows do not fit the table.
            OSError: If the file cannot be written; the older one is then still there.
        """
        from results.store.codec import encode

        path = self.live_path(table, name)
        write_whole(path, encode(table, rows))

    def read(
        self,
        table: str,
        names: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> "pa.Table":
        """Read the rows of a table; of each stage only those of its highest attempt.

        From `attempts` all attempts are read, from `trials` all submissions.

        Args:
            table: Name of the table.
            names: Stage keys, or sweeps in the table `trials`, to read; None: all.
            columns: Columns to read; None: all.
        Raises:
            StoreError: If there is no such table.
            DamagedFile: If a file is damaged.
        """
        from results.store.codec import concat

        rows = self.scan(table, names, columns)
        sealed = [] if rows.sealed is None else [rows.sealed.read(columns)]
        return concat(table, [*sealed, rows.live], columns)

    def scan(
        self,
        table: str,
        names: Collection[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> "Rows":
        """Find the same rows as `read`, but leave those that are sealed in their files.

        Args:
            table: Name of the table.
            names: As of `read`.
            columns: Columns of the live rows; None: all.
        Raises:
            StoreError, DamagedFile: As `read`.
        """
        from results.store.codec import concat, decode
        from results.store.sealed import Rows, sealed_rows

        for _ in range(1 + NUM_RETRIES):
            try:
                live = self._live_files(table, names)
                # Read after the folder was listed: what was sealed before that is in it, and what
                # is sealed later is missing below.
                manifest = self.manifest()
                live = [path for path in live if _counts(table, path.stem, manifest)]
                sealed = sealed_rows(self.root, manifest, table, names)
                # Each file is read in one go: two reads could see two versions of it.
                parts = [decode(table, path, path.read_bytes(), columns) for path in live]
            except OSError as error:
                if error.errno not in GONE:
                    raise
            else:
                return Rows(concat(table, parts, columns), sealed)
        raise StoreError(f"{table} files of {self.root} changed while they were read: try again.")

    def live_attempts(self) -> dict[str, list[int]]:
        """The stages with live rows in the table `attempts`: the numbers of their attempts."""
        numbers: dict[str, list[int]] = {}
        files = self._files("attempts", None)
        deleted = self.manifest().deleted
        for path in files:
            key, number = layout.split_live_name(path.stem)
            if number > deleted.attempt(key):
                numbers.setdefault(key, []).append(number)
        return numbers

    def needless_live_files(self, manifest: Manifest) -> list[Path]:
        """Live files whose rows are sealed or deleted, as the manifest says."""
        return [
            path
            for table in sorted(layout.TABLES)
            for path in self._files(table, None)
            if not _counts(table, path.stem, manifest)
        ]

    def raise_major(self, major: int = SEALED_MAJOR) -> None:
        """Make programs refuse the store that do not know what it is about to have."""
        path = self.root / layout.STORE_FILE
        header = read_json(path)
        if header["schema_major"] < major:
            write_json(path, header | {"schema_major": major})

    def manifest(self) -> Manifest:
        """What is sealed now, and what is deleted.

        Raises:
            DamagedFile: If the newest manifest is damaged.
        """
        return newest_manifest(self.root)

    def has_rows(self, kind: str, key: str, attempt: int) -> bool:
        """Whether all files that an attempt at a stage must leave are there and complete.

        Looks at the end of each file only, because it is called often; `read` checks every byte.
        """
        name = layout.live_name(key, attempt)
        tables = layout.ROWS_OF[layout.check_kind(kind)]
        # The live files first: if they are gone because the stage was sealed just now, the manifest
        # says so.
        return (
            all(_ends_as_parquet(self.live_path(table, name)) for table in tables)
            or key in self.manifest().stages
        )

    def supersede(self, table: str, key: str, attempt: int) -> None:
        """Delete the files of attempts before `attempt`, which has written its own.

        `read` ignores them, but pandas or DuckDB on the folder would see epochs twice.
        """
        layout.check_key(key)
        for path in self._files(table, [key]):
            if layout.split_live_name(path.stem)[1] < attempt:
                path.unlink(missing_ok=True)

    def remove_leftovers(self, key: str) -> None:
        """Delete temporary files of earlier attempts at a stage that were killed while writing.

        Only the process that holds the stage may call it.
        """
        layout.check_key(key)
        for table in (*layout.STAGE_TABLES, "attempts"):
            for path in (self.root / "live" / table).glob(f".{key}.*.tmp"):
                path.unlink(missing_ok=True)

    def _live_files(self, table: str, names: Collection[str] | None) -> list[Path]:
        files = self._files(table, names)
        if table not in layout.STAGE_TABLES:
            return files
        highest: dict[str, tuple[int, Path]] = {}
        for path in files:
            key, attempt = layout.split_live_name(path.stem)
            if key not in highest or attempt > highest[key][0]:
                highest[key] = attempt, path
        return [path for _, path in highest.values()]

    def _files(self, table: str, names: Collection[str] | None) -> list[Path]:
        """Files of the given stages or sweeps, sorted; None: of all."""
        folder = self.root / "live" / layout.check_table(table)
        wanted = None if names is None else frozenset(names)
        try:
            with os.scandir(folder) as entries:
                # The view of a running sweep asks every second, for each trial, for one stage
                # among thousands: so names are compared before anything slower is done.
                found = [
                    entry.name
                    for entry in entries
                    if wanted is None or entry.name.partition(".")[0] in wanted
                ]
        except FileNotFoundError:
            return []
        paths = (folder / name for name in sorted(found) if name.endswith(SUFFIX))
        return [path for path in paths if layout.is_live_name(table, path.stem)]


def _counts(table: str, name: str, manifest: Manifest) -> bool:
    """Whether the rows of a live file are neither sealed nor deleted.

    A stage that is sealed is done. What an old attempt at it still writes does not count.
    """
    if table == layout.PLAN_TABLE:
        sweep, _, number = name.partition(".")
        return int(number or 0) not in manifest.deleted.sweeps.get(sweep, ())
    key, attempt = layout.split_live_name(name)
    if attempt <= manifest.deleted.attempt(key):
        return False
    stage = manifest.stages.get(key)
    return stage is None or (table not in layout.STAGE_TABLES and attempt > stage.attempt)


def _ends_as_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-len(PARQUET_END), os.SEEK_END)
            return file.read() == PARQUET_END
    except PermissionError:  # The rows may be there: that cannot be told.
        raise
    except OSError:  # It is missing, or shorter than the mark.
        return False
