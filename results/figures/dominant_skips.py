"""The figure `dominant-skips`: how many skip connections are dominant at each epoch."""

from typing import TYPE_CHECKING

from results.errors import QueryError
from results.figures.kind import Kind, Options
from results.figures.style import COLUMN_IN, GROUP_COLORS, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from results.query.tables import Tables

OF_SEARCHES = """
    SELECT group_label, search_seed, stage_key AS search_key, epoch, num_dominant_skip, num_dominant
    FROM epochs JOIN (
        SELECT search_key, min(group_label) AS group_label, min(search_seed) AS search_seed
        FROM trials GROUP BY search_key
    ) ON search_key = stage_key
    WHERE kind = 'search'
    ORDER BY group_label, search_seed, stage_key, epoch
"""


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Of each search and epoch the number of dominant operations, and skips among them."""
    from results.query.outcomes import to_pandas
    from results.query.sql import query

    rows = to_pandas(query(tables, OF_SEARCHES))
    if rows.empty:
        raise QueryError("these trials have no epoch of a search yet, so there is nothing to draw.")
    return rows


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """Runs as thin lines, the mean of each group as a thick one."""
    figure = new_figure(COLUMN_IN, 2.2)
    axes = figure.add_subplot(xlabel="epoch", ylabel="dominant skip connections")
    for (label, group), color in zip(rows.groupby("group_label"), GROUP_COLORS, strict=False):
        for _, run in group.groupby("search_key"):
            axes.plot(run["epoch"], run["num_dominant_skip"], color=color, lw=0.6, alpha=0.5)
        mean = group.groupby("epoch")["num_dominant_skip"].mean()
        axes.plot(mean.index, mean, color=color, lw=2, label=label)
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure


KIND = Kind(
    "dominant-skips",
    "Skip connections that are dominant, per epoch: runs as thin lines, their mean as a thick one.",
    data,
    paint,
    paper="Fig. 2",
)
