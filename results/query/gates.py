"""How far the gates of each search came apart: numbers for the tables of the paper's Figure 8."""

from typing import TYPE_CHECKING

from results.query.outcomes import to_pandas
from results.query.sql import arrow, query
from results.query.tables import Tables
from results.statuses import TrialOutcome

if TYPE_CHECKING:
    import pandas as pd

FINAL = """
    SELECT stage_key AS search_key, coalesce(max(chosen_epoch), max(epoch)) AS epoch
    FROM epochs SEMI JOIN searches ON search_key = stage_key
    WHERE kind = 'search' AND num_dominant IS NOT NULL
    GROUP BY stage_key
"""
"""Of each search one epoch: the one that a stopping rule chose, else the last."""
GATES = """
    SELECT search_key, num_dominant, num_dominant_skip,
        100.0 * len(list_filter(gates, lambda gate: gate <= 0.1 OR gate >= 0.9)) / len(gates)
            AS polarised_pct
    FROM epochs JOIN finals ON search_key = stage_key AND epochs.epoch = finals.epoch
    WHERE len(gates) > 0 AND epochs.epoch >= {first}
"""


def with_gates(outcomes: "pd.DataFrame", tables: Tables) -> "pd.DataFrame":
    """Add what the gates of each search were, when its genotype was derived.

    A search that goes on, or that diverged, has none of these numbers.

    Args:
        outcomes: Rows of the table `outcomes`.
        tables: Where the epochs are.
    Returns:
        The rows with `num_dominant`, `num_dominant_skip` (see the table `epochs`) and
        `polarised_pct`, the share of gates within 0.1 of 0 or 1.
    """
    derived = outcomes["genotype_json"].notna() | (outcomes["outcome"] == TrialOutcome.INVALID)
    searches = outcomes.loc[derived, ["search_key"]].dropna().drop_duplicates()
    searched = tables.of_stages(set(searches["search_key"]))
    finals = query(searched, FINAL, beside={"searches": arrow(searches)})
    # Named in the query, the first of these epochs spares reading the gates of those before it.
    first = min(finals["epoch"].to_pylist(), default=0)
    gates = query(searched, GATES.format(first=first), beside={"finals": finals})
    return outcomes.merge(to_pandas(gates), "left", on="search_key")
