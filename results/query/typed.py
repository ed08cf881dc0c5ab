"""Computed rows as a table whose types do not depend on the values that happen to be there.

Without them a column of missing values would have no type in a Parquet file, and whole numbers
would be floats where one is missing: two files of the same command could not be read as one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from results.schema import BOOL, F64, I64, STR, TEXTS

if TYPE_CHECKING:
    import pyarrow as pa

TYPES = (
    {"complete": BOOL, "notes": TEXTS}
    | dict.fromkeys(
        (
            *("sweep", "group_id", "method", "group_label", "space", "dataset", "recipe", "at"),
            *("a", "b", "versus", "test", "seeds_without_partner", "spread_of"),
            *("source", "runs", "convention"),
        ),
        STR,
    )
    | dict.fromkeys(
        (
            *("n", "n_a", "n_b", "seeds", "pairs", "planned", "planned_a", "planned_b"),
            *("planned_searches", "num_ok", "num_ok_a", "num_ok_b", "num_pairs", "num_repeated"),
            *("num_invalid", "num_failed", "num_unfinished"),
            *("num_trainings", "num_trainings_a", "num_trainings_b"),
        ),
        I64,
    )
)
"""Of the columns of means, comparisons, correlations and needed seeds; others are floats."""


def typed(rows: Sequence[Mapping[str, Any]], columns: Iterable[str] | None = None) -> "pa.Table":
    """Make a table of rows with the same columns.

    Args:
        rows: The rows; None: the value is missing.
        columns: Their columns; None: those of the first row.
    """
    import pyarrow as pa

    names = rows[0] if columns is None else columns
    return pa.Table.from_pylist(rows, pa.schema([(name, TYPES.get(name, F64)) for name in names]))
