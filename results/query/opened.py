"""The tables of a store in Python, for notebooks: `results.open_store`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from results.errors import QueryError, StoreError
from results.query.ids import find_id
from results.query.outcomes import to_pandas
from results.query.sql import TIMEOUT_S, query
from results.query.tables import Tables
from results.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

Frame = Literal["pandas", "arrow", "polars"]
"""What a table is returned as."""


class OpenedStore:
    """The tables of a store, as docs/tables.md describes them.

    Of each stage they have the rows of its highest attempt, and of each sweep the trials of its
    newest submission, like `fairdarts results table`. Every call reads the files again, so a
    running sweep can be watched.

    Args:
        path: Folder of the store.
        sweeps: Names of sweeps; None: every sweep.
        all_submissions: Include trials that only older submissions of a sweep planned.
    Raises:
        StoreError: If it is not a store, or has no sweep of a given name.
        DamagedFile: If a file is damaged.
    """

    def __init__(
        self,
        path: Path | str,
        sweeps: list[str] | None = None,
        all_submissions: bool = False,
    ) -> None:
        self.store = Store.open(path)
        self.sweeps = sweeps
        self.all_submissions = all_submissions

    def left_out(self) -> dict[str, int]:
        """For each sweep how many trials only its older submissions planned; they are left out."""
        return dict(self._tables().left_out)

    def trials(self, frame: Frame = "pandas") -> Any:
        """Every planned trial: its method, settings, seeds and stages."""
        return self._read("trials", frame)

    def outcomes(self, frame: Frame = "pandas") -> Any:
        """Every planned trial with its genotype, accuracy, cost and outcome."""
        return self._read("outcomes", frame)

    def attempts(self, frame: Frame = "pandas") -> Any:
        """Every attempt at a stage; those with `newest` are one for each stage."""
        return self._read("attempts", frame)

    def epochs(self, frame: Frame = "pandas") -> Any:
        """Every epoch of searches and retrainings."""
        return self._read("epochs", frame)

    def genotypes(self, frame: Frame = "pandas") -> Any:
        """Every derived, sampled or given genotype."""
        return self._read("genotypes", frame)

    def retrains(self, frame: Frame = "pandas") -> Any:
        """Every finished retraining."""
        return self._read("retrains", frame)

    def ops(self, frame: Frame = "pandas") -> Any:
        """What each position of the lists of alphas stands for."""
        return self._read("ops", frame)

    def reference(self, frame: Frame = "pandas") -> Any:
        """The numbers that the paper prints; nothing here was measured."""
        return self._read("reference", frame)

    def alphas(self, trial: str | None = None, frame: Frame = "pandas") -> Any:
        """Alpha and gate of every operation: a row for each search, epoch, cell, edge, operation.

        Args:
            trial: Only the search of this trial: its id or the first digits; None: all searches.
            frame: What to return.
        Raises:
            StoreError: If no trial has this id, or several begin with it.
            QueryError: If the trial has no search.
        """
        tables = self._tables()
        if trial is not None:
            tables = tables.of_stages([_search_of(tables, trial)])
        return _framed(query(tables, "FROM alphas ORDER BY stage_key, epoch, position"), frame)

    def sql(self, sql: str, frame: Frame = "pandas", timeout_s: float = TIMEOUT_S) -> Any:
        """Answer a query over these tables.

        Args:
            sql: One SELECT of DuckDB's SQL.
            frame: What to return.
            timeout_s: After this time the query is stopped.
        Raises:
            QueryError: If the query is wrong, or takes too much time or memory.
        """
        return _framed(query(self._tables(), sql, timeout_s), frame)

    def _tables(self) -> Tables:
        return Tables(self.store, self.sweeps, self.all_submissions)

    def _read(self, name: str, frame: Frame) -> Any:
        return _framed(self._tables().read(name), frame)


def _search_of(tables: Tables, trial: str) -> str:
    """Key of the search stage of a trial."""
    id_ = find_id(tables.store, trial)
    for row in tables.planned:
        if id_ in (row["trial_id"], row["search_key"]):
            if row["search_key"] is None:
                raise QueryError(
                    f"trial {id_} ({row['label']}) has no search, so it has no alphas."
                )
            return str(row["search_key"])
    raise StoreError(f"{id_} is no trial of the sweeps that were opened: give the id of a trial.")


def _framed(table: "pa.Table", frame: Frame) -> Any:
    if frame == "arrow":
        return table
    if frame == "pandas":
        return to_pandas(table)
    if frame == "polars":
        try:
            import polars
        except ImportError:
            raise QueryError("polars is not installed: `pip install polars`.") from None
        return polars.from_arrow(table)
    raise QueryError(f"frame (={frame!r}) must be one of {', '.join(get_args(Frame))}.")
