"""The rows of an exported sweep, read in parts, and compared with what they say they are."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from orchestrate.errors import SweepError
from orchestrate.running.bundle import Bundle, StageEntry, damaged, table_name
from results.schema import I16, SCHEMA
from results.store.layout import ROWS_OF
from results.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

KEY = "stage_key"
BATCH = 256
SPARE_BYTES = 1 << 26
MOST_EXPANDED = 1000
"""Rows that take this many times the bytes of their file are no results."""
ONE_ROW = ("genotypes", "retrains")
NEVER_NULL = {
    "epochs": ("epoch", "train_loss", "wall_s"),
    "genotypes": ("genotype_json", "valid"),
    "retrains": ("epochs", "test_top1_pct", "params", "multadds"),
}
NOT_COMPARED = ("attempt", "wall_s", "images_per_s", "written_at", "trained_as")
"""Columns that differ when the same result is computed again."""


class BundleRows:
    """Reads the tables of an exported sweep."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def read(self, table: str, keys: Collection[str], after: Mapping[str, int]) -> "pa.Table":
        """The rows of some stages, in today's schema.

        Args:
            table: Name of the table.
            keys: The stages.
            after: What is added to the numbers of each stage's attempts.
        Raises:
            SweepError: If the file is damaged, or expands beyond measure.
        """
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        schema, name = SCHEMA[table].arrow, table_name(table)
        parts, num_bytes = [], 0
        most = SPARE_BYTES + MOST_EXPANDED * self.bundle.index.files[name].num_bytes
        wanted = pa.array(sorted(keys), pa.string())
        try:
            with self.bundle.opened(name) as raw:
                file = pq.ParquetFile(pa.PythonFile(raw), page_checksum_verification=True)
                self._check_schema(file, table)
                columns = [one for one in schema.names if one in file.schema_arrow.names]
                for batch in _batches(file, columns, keys):
                    num_bytes += batch.nbytes
                    if num_bytes > most:
                        raise damaged(self.bundle, name, "its rows take too much memory")
                    parts.append(batch.filter(pc.is_in(batch[KEY], wanted)))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise damaged(self.bundle, name, " ".join(str(error).split())[:120]) from None
        found = pa.Table.from_batches(parts, parts[0].schema if parts else schema)
        arrays = [
            found[field.name]
            if field.name in found.column_names
            else pa.nulls(len(found), field.type)
            for field in schema
        ]
        rows = pa.Table.from_arrays(arrays, schema=schema)
        return _renumbered(rows, after) if any(after.get(key) for key in keys) else rows

    def _check_schema(self, file: "pq.ParquetFile", table: str) -> None:
        for field in SCHEMA[table].arrow:
            place = file.schema_arrow.get_field_index(field.name)
            if place < 0 and field.name in SCHEMA[table].key:
                raise ValueError(f"it has no column {field.name}")
            if place >= 0 and file.schema_arrow.field(place).type != field.type:
                raise ValueError(f"its column {field.name} has another type than {field.type}")

    def check(self, entries: Mapping[str, StageEntry]) -> None:
        """Compare the rows of some stages with what stages.json says of these.

        Raises:
            SweepError: If rows are missing, or there are too many.
        """
        attempts = self.read("attempts", entries.keys(), {})
        numbers: dict[str, set[int]] = {key: set() for key in entries}
        for row in attempts.select([KEY, "attempt"]).to_pylist():
            if row["attempt"] is None or row["attempt"] < 1 or row["attempt"] in numbers[row[KEY]]:
                raise self._wrong("attempts", row[KEY], "has a wrong number of an attempt")
            numbers[row[KEY]].add(row["attempt"])
        for key, entry in entries.items():
            if not 0 < entry.attempt < 2**15 or max(numbers[key], default=0) > entry.attempt:
                raise self._wrong("attempts", key, "has other attempts than stages.json says")
            if entry.done and entry.attempt not in numbers[key]:
                raise self._wrong("attempts", key, "has no row of the attempt that finished it")
            for failure in entry.failures:
                if not _is_failure(failure, entry.attempt):
                    raise damaged(self.bundle, "stages.json", f"a failure of stage {key} is none")
        for table in ("epochs", *ONE_ROW):
            self._check_table(table, entries)

    def _check_table(self, table: str, entries: Mapping[str, StageEntry]) -> None:
        of = {key for key, one in entries.items() if table in ROWS_OF.get(one.kind, ())}
        rows = self.read(table, of, {})
        for name in NEVER_NULL[table]:
            if rows[name].null_count:
                raise damaged(self.bundle, table_name(table), f"{name} is missing in a row")
        rows = rows.select(SCHEMA[table].key)
        counts = Counter(rows[KEY].to_pylist())
        distinct = rows.group_by(list(SCHEMA[table].key)).aggregate([]).num_rows
        if distinct < rows.num_rows:
            raise damaged(self.bundle, table_name(table), "it has a row twice")
        for key in of:
            if entries[key].done and not counts[key]:
                raise self._wrong(table, key, "has no rows")

    def _wrong(self, table: str, key: str, what: str) -> SweepError:
        return damaged(self.bundle, table_name(table), f"stage {key} {what}")


def contradiction(store: Store, rows: BundleRows, entries: Mapping[str, StageEntry]) -> None:
    """Compare stages that both the store and an exported sweep have.

    Raises:
        SweepError: If their results differ.
    """
    for table in ("epochs", *ONE_ROW):
        of = sorted(key for key, one in entries.items() if table in ROWS_OF.get(one.kind, ()))
        names = [name for name in SCHEMA[table].arrow.names if name not in NOT_COMPARED]
        order = [(name, "ascending") for name in SCHEMA[table].key]
        mine = store.read(table, of, names).sort_by(order).to_pylist()
        other = rows.read(table, of, {}).select(names).sort_by(order).to_pylist()
        for one, two in zip(mine, other, strict=False):
            if repr(one) != repr(two):  # As text, because nan differs from itself.
                raise _contradicts(store, rows, one[KEY], table)
        if len(mine) != len(other):
            raise _contradicts(store, rows, (mine or other)[0][KEY], table)


def _contradicts(store: Store, rows: BundleRows, key: str, table: str) -> SweepError:
    return SweepError(
        f"{rows.bundle.folder} contradicts {store.root}: both have stage {key}, with other "
        f"{table}; nothing is imported. Import it into a store of its own, or delete the sweeps "
        "here that have this stage."
    )


def _is_failure(failure: Mapping[str, object], last: int) -> bool:
    kinds = {"attempt": int, "kind": str, "error_type": str, "message": str}
    if failure.keys() != kinds.keys():
        return False
    number = failure["attempt"]
    return all(type(failure[name]) is kind for name, kind in kinds.items()) and (
        isinstance(number, int) and 0 < number <= last
    )


def _batches(
    file: "pq.ParquetFile", columns: list[str], keys: Collection[str]
) -> "Iterator[pa.RecordBatch]":
    """Batches of the row groups that may have rows of some stages."""
    first, last = min(keys, default=""), max(keys, default="")
    paths = [file.metadata.schema.column(place).path for place in range(file.metadata.num_columns)]
    for number in range(file.metadata.num_row_groups):
        of = file.metadata.row_group(number).column(paths.index(KEY)).statistics
        if keys and (of is None or not of.has_min_max or (of.min <= last and of.max >= first)):
            yield from file.iter_batches(BATCH, [number], columns, use_threads=False)


def _renumbered(rows: "pa.Table", after: Mapping[str, int]) -> "pa.Table":
    """The rows with higher numbers of attempts, where the table has them."""
    import pyarrow as pa

    place = rows.schema.get_field_index("attempt")
    if place < 0:
        return rows
    keys, numbers = rows[KEY].to_pylist(), rows["attempt"].to_pylist()
    new = [
        None if number is None else number + after.get(key, 0)
        for key, number in zip(keys, numbers, strict=True)
    ]
    return rows.set_column(place, rows.schema.field(place), pa.array(new, I16))
