"""The figure `gate-histogram`: how the final gates of all searches of a group are spread."""

from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.kind import Kind, Options
from results.figures.panel import Scale
from results.figures.panels import Block, small_multiples
from results.figures.searches import NOTE, num_of, reaching, searches
from results.figures.style import GROUP_COLORS
from results.query.gates import FINAL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from results.query.tables import Tables

NUM_BINS = 20
COUNTS = f"""
    SELECT group_number, any_value(group_label) AS group_label,
        any_value(zero_one_weight) AS zero_one_weight, any_value(num_begun) AS num_begun,
        count(DISTINCT search_key) AS num_searches, bin / {NUM_BINS} AS gate_from,
        (bin + 1) / {NUM_BINS} AS gate_to, count(*) AS num_gates
    FROM (
        SELECT group_number, group_label, zero_one_weight, num_begun, search_key,
            unnest(gates) AS gate, least(floor(gate * {NUM_BINS}), {NUM_BINS - 1}) AS bin
        FROM epochs JOIN searches ON search_key = stage_key AND epoch = final_epoch
        WHERE kind = 'search' AND len(gates) > 0 AND epoch >= {{first}}
    )
    WHERE isfinite(gate)
    GROUP BY group_number, bin
    ORDER BY group_number, bin
"""  # noqa: S608 (made of constants)


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Of each group how many final gates are in each of twenty ranges."""
    from results.query.outcomes import to_pandas
    from results.query.sql import arrow, query

    found, note = searches(tables, options)
    found = reaching(tables, found)
    finals = query(tables, FINAL, beside={"searches": arrow(found)}).to_pandas()
    found = found.merge(finals.rename(columns={"epoch": "final_epoch"}), on="search_key")
    # Named in the query, the first of these epochs spares reading the gates of those before it.
    sql = COUNTS.format(first=found["final_epoch"].min() if len(found) else 0)
    rows = to_pandas(query(tables, sql, beside={"searches": arrow(found)}))
    if rows.empty:
        raise QueryError("these trials have no epoch of a search yet, so there is nothing to draw.")
    of_groups = rows.groupby("group_number")
    rows["num_searches"] = of_groups["num_searches"].transform("max")
    rows["share_pct"] = 100 * rows["num_gates"] / of_groups["num_gates"].transform("sum")
    rows.attrs[NOTE] = note
    return rows


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """A panel for each group, so that those with and without the loss stand side by side."""
    groups = [group for _, group in rows.groupby("group_number")]
    titles = [str(group["group_label"].iloc[0]) for group in groups]
    endings = [_ending(group.iloc[0]) for group in groups]
    columns = 2 if len(groups) <= 4 else 4
    figure, (panels,) = small_multiples(
        [Block(titles, endings=endings)],
        columns,
        1.3 if columns == 2 else 0.9,
        Scale("gate at the end of the search", 0, 1),
        Scale("share of gates (%)", 0, float(rows["share_pct"].max()) * 1.05),
        note=rows.attrs.get(NOTE, ""),
    )
    style = {"facecolor": GROUP_COLORS[0], "edgecolor": "white", "lw": 0.4}
    for panel, group in zip(panels, groups, strict=True):
        panel.bars(group["gate_from"], 1 / NUM_BINS, group["share_pct"], **style)
    return figure


def _ending(first: "pd.Series[Any]") -> str:
    weight = first["zero_one_weight"]
    named = weight is None or "zero_one_weight" in first["group_label"]
    return ("" if named else f", w = {weight:g}") + num_of(
        first["num_searches"], first["num_begun"]
    )


KIND = Kind(
    "gate-histogram",
    "How far gates are from 0 and 1 at the end; with and without the zero-one loss side by side.",
    data,
    paint,
    paper="Fig. 8 left",
    options=("trial",),
)
