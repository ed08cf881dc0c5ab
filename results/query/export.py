"""The resolved tables as plain Parquet files, for any reader."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from results.query.sql import query
from results.query.tables import Tables
from results.query.views import VIEWS
from results.store.files import whole_folder

if TYPE_CHECKING:
    import pyarrow as pa

SEARCHES_AT_ONCE = 100
"""Alphas of this many searches are in memory together."""


def export_tables(
    tables: Tables,
    folder: Path,
    readme: Callable[[Mapping[str, int]], str] | None = None,
) -> dict[Path, int]:
    """Write one Parquet file for each view, with all its columns; units are in their metadata.

    The folder appears when it is complete.

    Args:
        tables: What to write.
        folder: Where; it must not exist, or be empty.
        readme: Makes the text of a README.md from the number of rows of each view; None: without.
    Returns:
        Each file with its number of rows.
    Raises:
        StoreError: If the folder has files.
        DamagedFile: If a file of the store is damaged.
        OSError: If it cannot be written; nothing is left then.
    """
    folder = folder.absolute()
    with whole_folder(folder) as unfinished:
        sizes = {name: _write(tables, name, unfinished / f"{name}.parquet") for name in VIEWS}
        if readme is not None:
            (unfinished / "README.md").write_text(readme(sizes), encoding="utf-8")
    return {folder / f"{name}.parquet": num_rows for name, num_rows in sizes.items()}


def _write(tables: Tables, name: str, path: Path) -> int:
    import pyarrow.parquet as pq

    schema = VIEWS[name].arrow
    parts = _alphas(tables) if name == "alphas" else iter([tables.read(name)])
    num_rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for part in parts:
            writer.write_table(part.cast(schema))
            num_rows += part.num_rows
    return num_rows


def _alphas(tables: Tables) -> "Iterator[pa.Table]":
    keys = sorted(tables.trials["search_key"].unique().drop_null().to_pylist())
    for start in range(0, len(keys), SEARCHES_AT_ONCE):
        some = tables.of_stages(keys[start : start + SEARCHES_AT_ONCE])
        yield query(some, "FROM alphas ORDER BY stage_key, epoch, position")
