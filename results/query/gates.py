"""How far the gates of each search came apart: numbers for the tables of the paper's Figure 8."""

from typing import TYPE_CHECKING

from results.query.outcomes import to_pandas
from results.query.sql import query
from results.query.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

OF_SEARCHES = """
    SELECT stage_key AS search_key, num_dominant, num_dominant_skip,
        100.0 * len(list_filter(gates, lambda gate: gate <= 0.1 OR gate >= 0.9)) / len(gates)
            AS polarised_pct
    FROM epochs
    WHERE kind = 'search' AND len(gates) > 0
    WINDOW searches AS (PARTITION BY stage_key)
    QUALIFY epoch = coalesce(max(chosen_epoch) OVER searches, max(epoch) OVER searches)
"""
"""Of each search one epoch: the one that a stopping rule chose, else the last."""


def with_gates(outcomes: "pd.DataFrame", tables: Tables) -> "pd.DataFrame":
    """Add what the gates of each search were, when its genotype was derived.

    Args:
        outcomes: Rows of the table `outcomes`.
        tables: Where the epochs are.
    Returns:
        The rows with `num_dominant`, `num_dominant_skip` (see the table `epochs`) and
        `polarised_pct`, the share of gates within 0.1 of 0 or 1.
    """
    searched = tables.of_stages(set(outcomes["search_key"].dropna()))
    return outcomes.merge(to_pandas(query(searched, OF_SEARCHES)), "left", on="search_key")
