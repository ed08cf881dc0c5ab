"""The gates of searches, added up while they are read: thousands of searches do not fit memory."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from results.figures.places import places_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from results.query.tables import Tables

COLUMNS = ("stage_key", "epoch", "gates")


@dataclass
class ByEpoch:
    """The gates of a group, or what is made of them, of E epochs and P places."""

    search: "pd.Series[Any]"
    """One search of the group, for what all have in common."""
    counts: "NDArray[Any]"
    """Searches that have a number, shape (E,)."""
    sums: "NDArray[Any]"
    """Shape (E, P)."""
    lows: "NDArray[Any]" = field(repr=False)
    highs: "NDArray[Any]" = field(repr=False)

    def add(self, epochs: "NDArray[Any]", values: "NDArray[Any]") -> None:
        """Add the values of R searches and epochs, shape (R, P), sorted by epoch."""
        import numpy as np

        found, starts, counts = np.unique(epochs, return_index=True, return_counts=True)
        self.counts[found] += counts
        self.sums[found] += np.add.reduceat(values, starts, axis=0, dtype=np.float64)
        for limits, extreme in ((self.lows, np.minimum), (self.highs, np.maximum)):
            limits[found] = extreme(limits[found], extreme.reduceat(values, starts, axis=0))

    @property
    def epochs(self) -> "NDArray[Any]":
        """The epochs that some search has."""
        epochs: NDArray[Any] = self.counts.nonzero()[0]
        return epochs

    @property
    def means(self) -> "NDArray[Any]":
        """Of these epochs, shape (epochs, P)."""
        means: NDArray[Any] = self.sums[self.epochs] / self.counts[self.epochs][:, None]
        return means


def by_epoch(
    tables: "Tables",
    found: "pd.DataFrame",
    of: "Callable[[NDArray[Any], pd.Series[Any]], NDArray[Any]] | None" = None,
) -> list[ByEpoch]:
    """Read the gates of each group.

    Args:
        tables: Where the epochs are.
        found: What `results.figures.searches.reaching` returns.
        of: Makes numbers of gates, shape (R, P), and of a search of their group; None: the gates.
    Returns:
        What there is of each group, in order; groups of an unknown space are left out.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    groups = {number: _nothing_of(some.iloc[0]) for number, some in found.groupby("group_number")}
    keys = pa.array(found["search_key"], pa.string())
    numbers, lasts = found["group_number"].to_numpy(), found["last_epoch"].to_numpy()
    # Not by a query: DuckDB would hold all of them in memory, and take twice the time.
    for batch in tables.scan("epochs").batches(COLUMNS):
        search = pc.fill_null(pc.index_in(batch["stage_key"], keys), -1).to_numpy()
        epochs, lengths = batch["epoch"].to_numpy(), pc.list_value_length(batch["gates"])
        sizes = pc.fill_null(lengths, 0).to_numpy()
        wanted = (search >= 0) & (epochs <= lasts[search])
        flat = batch["gates"].flatten().to_numpy()
        ends = sizes.cumsum()
        for number, group in groups.items():
            num_places = group.sums.shape[1]
            rows = np.flatnonzero(wanted & (numbers[search] == number) & (sizes == num_places))
            if not len(rows):
                continue
            rows = rows[np.argsort(epochs[rows], kind="stable")]
            gates = _taken(flat, ends[rows] - num_places, num_places)
            group.add(epochs[rows], gates if of is None else of(gates, group.search))
    return [group for group in groups.values() if group.counts.any()]


def _nothing_of(search: "pd.Series[Any]") -> ByEpoch:
    import numpy as np

    shape = (int(search["last_epoch"]) + 1, len(places_of(search)))
    lows, highs = (np.full(shape, limit, np.float32) for limit in (np.inf, -np.inf))
    return ByEpoch(search, np.zeros(shape[0], np.int64), np.zeros(shape), lows, highs)


def _taken(flat: "NDArray[Any]", starts: "NDArray[Any]", length: int) -> "NDArray[Any]":
    """Parts of some length that begin at some places, shape (starts, length)."""
    import numpy as np

    if len(flat) % length == 0 and not (starts % length).any():  # As if all lists had this length.
        return np.asarray(flat.reshape(-1, length)[starts // length])
    windows = np.lib.stride_tricks.sliding_window_view(flat, length)
    return np.asarray(windows[starts])
