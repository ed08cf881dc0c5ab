"""Results as Parquet tables: many processes write whole files, anybody reads them.

In a notebook, `results.open_store("runs")` gives the tables as pandas, Arrow or polars frames.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.query.opened import OpenedStore


def open_store(
    path: Path | str = "runs", sweeps: list[str] | None = None, all_submissions: bool = False
) -> "OpenedStore":
    """Open the tables of a store; see `results.query.opened.OpenedStore`."""
    from results.query.opened import OpenedStore

    return OpenedStore(path, sweeps, all_submissions)
