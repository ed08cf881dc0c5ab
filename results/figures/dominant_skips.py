"""The figure `dominant-skips`: how many skip connections are dominant at each epoch."""

from typing import TYPE_CHECKING

from results.errors import QueryError
from results.figures.kind import Kind, Options
from results.figures.panel import Panel
from results.figures.panels import (
    Block,
    count_scale,
    epoch_scale,
    fitting,
    label_ends,
    small_multiples,
    text_width,
)
from results.figures.searches import NOTE, reaching, searches
from results.figures.style import COLUMN_IN, GROUP_COLORS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from results.query.tables import Tables

OF_SEARCHES = """
    SELECT group_number, group_label, search_seed, search_key, epoch, num_dominant_skip,
        num_dominant
    FROM epochs JOIN searches ON search_key = stage_key
    WHERE kind = 'search' AND num_dominant IS NOT NULL
    ORDER BY group_number, search_seed, search_key, epoch
"""
MAX_TOGETHER = 4
"""More groups than this get a panel each."""
MAX_LINES = 30
"""Of more runs than this the middle nine tenths are shaded, instead of a line for each."""


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Of each search and epoch the number of dominant operations, and skips among them."""
    from results.query.outcomes import to_pandas
    from results.query.sql import arrow, query

    found, note = searches(tables, options)
    rows = to_pandas(query(tables, OF_SEARCHES, beside={"searches": arrow(found)}))
    if rows.empty:
        raise QueryError("these trials have no epoch of a search yet, so there is nothing to draw.")
    averaged = reaching(tables, found).set_index("search_key")["last_epoch"]
    rows["averaged"] = rows["epoch"] <= rows["search_key"].map(averaged).fillna(-1)
    rows.attrs[NOTE] = note
    return rows


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """Runs as thin lines, the mean of each group as a thick one."""
    groups = list(rows.groupby("group_number"))
    labels = [str(group["group_label"].iloc[0]) for _, group in groups]
    counts = [f" (n = {group['search_key'].nunique()})" for _, group in groups]
    together = len(groups) <= MAX_TOGETHER
    note = rows.attrs.get(NOTE, "")
    x = epoch_scale(rows["epoch"])
    y = count_scale("dominant skip connections", rows["num_dominant_skip"].max())
    if together:
        titles = [fitting(label, 1.1, 3, ending=n) for label, n in zip(labels, counts, strict=True)]
        right = text_width(titles) + 0.25
        figure, ((panel,),) = small_multiples(
            [Block([""])], 1, 1.7, x, y, width=COLUMN_IN, right=right, note=note
        )
        panels = [panel] * len(groups)
    else:
        titles = labels
        figure, (panels,) = small_multiples(
            [Block(labels, endings=counts)], 5, 0.85, x, y, note=note
        )
    ends = []
    for place, (panel, (_, group)) in enumerate(zip(panels, groups, strict=True)):
        color = GROUP_COLORS[place if together else 0]
        mean = _paint_group(panel, group, color)
        ends.append((float(mean.iloc[-1]), titles[place], color))
    if together:
        label_ends(panels[0], ends)
    return figure


def _paint_group(panel: Panel, group: "pd.DataFrame", color: str) -> "pd.Series[float]":
    of_epochs = group.groupby("epoch")["num_dominant_skip"]
    num_runs = group["search_key"].nunique()
    mean: pd.Series[float] = group[group["averaged"]].groupby("epoch")["num_dominant_skip"].mean()
    if num_runs > MAX_LINES:
        low, high = of_epochs.quantile(0.05), of_epochs.quantile(0.95)
        panel.area(low.index, low, high, color=color, alpha=0.25, lw=0)
    else:
        runs = [(run["epoch"], run["num_dominant_skip"]) for _, run in group.groupby("search_key")]
        panel.lines(runs, color=color, lw=0.6, alpha=0.5)
    # A search that has only begun is a point, not a line.
    marker = "o" if len(mean) == 1 else ""
    panel.line(mean.index, mean, color=color, lw=2, marker=marker, ms=3)
    return mean


KIND = Kind(
    "dominant-skips",
    "Skip connections that are dominant, per epoch: runs as thin lines, their mean as a thick one.",
    data,
    paint,
    paper="Fig. 2",
    options=("trial",),
)
