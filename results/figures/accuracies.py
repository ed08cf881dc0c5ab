"""Finished trials in groups, for figures of accuracies: groups differ in more than seeds."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from results.errors import QueryError
from results.figures.panels import fitting
from results.figures.style import FONT_PT, PAGE_IN

if TYPE_CHECKING:
    import pandas as pd

    from results.query.tables import Tables

BLOCK = ["dataset", "recipe"]
"""Only accuracies with these in common can be compared."""


def retrained(tables: "Tables") -> "pd.DataFrame":
    """Find the trials that retrain a network, each once, however many sweeps plan it.

    Returns:
        Rows of the table `outcomes`, in the order of the plan, with `group_number` (from 0), labels
        that tell groups apart, and `search`, the key of what the genotype comes from.
    Raises:
        QueryError: If there is none.
    """
    from results.query.labels import tell_apart
    from results.query.outcomes import to_pandas
    from results.query.versus import pooled

    trials = pooled(to_pandas(tables.read("outcomes")), "")
    trials = tell_apart(trials[trials["recipe"].notna()]).reset_index(drop=True)
    if trials["test_top1_pct"].isna().all():
        raise QueryError("no network has been retrained yet, so there is nothing to draw.")
    firsts = trials.drop_duplicates("group_id")
    # A table has a column for the space; a figure has only the label.
    ambiguous = firsts[firsts.duplicated([*BLOCK, "group_label"], keep=False)]["group_id"]
    labels = trials["group_label"].where(
        ~trials["group_id"].isin(ambiguous), trials["group_label"] + ", space " + trials["space"]
    )
    numbers = {group_id: number for number, group_id in enumerate(firsts["group_id"])}
    return trials.assign(
        group_label=labels,
        group_number=trials["group_id"].map(numbers),
        search=trials["search_key"].fillna(trials["sample_key"]),
    )


def block_title(names: Iterable[object]) -> str:
    """The data set and the recipe of a block, in up to two bold lines."""
    # Overrides are listed without spaces, so nothing could be broken between them.
    text = " · ".join(name for name in names if isinstance(name, str)).replace(",", ", ")
    return fitting(text, 0.88 * PAGE_IN, 2, FONT_PT)
