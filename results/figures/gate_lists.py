"""The gates of searches as arrays: as rows, thousands of searches would have a hundred million."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from results.figures.places import places_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from results.query.tables import Tables

GATES = """
    SELECT group_number, epoch, gates
    FROM epochs JOIN searches ON search_key = stage_key
    WHERE kind = 'search' AND len(gates) > 0 AND epoch <= last_epoch
"""


def gate_lists(
    tables: "Tables", found: "pd.DataFrame"
) -> "Iterator[tuple[pd.Series[Any], NDArray[Any], NDArray[Any]]]":
    """Read the gates of each group.

    Args:
        tables: Where the epochs are.
        found: What `results.figures.searches.reaching` returns.
    Yields:
        The first search of the group, for what all have in common; R epochs, one for each search
        and epoch; and gates, shape (R, places).
    """
    import pyarrow.compute as pc

    from results.query.sql import arrow, query

    stored = query(tables, GATES, beside={"searches": arrow(found)})
    for number, group in found.groupby("group_number"):
        of_group = stored.filter(pc.equal(stored["group_number"], number))
        if not len(of_group):
            continue
        first = group.iloc[0]
        lists = of_group["gates"].combine_chunks().flatten().to_numpy()
        gates = lists.reshape(len(of_group), -1)
        # Otherwise it is a space that this version does not know.
        if gates.shape[1] == len(places_of(first)):
            yield first, of_group["epoch"].to_numpy(), gates
