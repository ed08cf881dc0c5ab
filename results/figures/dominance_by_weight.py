"""The figure `dominance-by-weight`: dominant operations against the zero-one loss's weight."""

from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.kind import Kind, Options
from results.figures.panel import Scale
from results.figures.panels import (
    Block,
    count_scale,
    fitting,
    label_ends,
    small_multiples,
    text_width,
)
from results.figures.searches import reaching, searches
from results.figures.style import COLUMN_IN, GROUP_COLORS
from results.query.gates import FINAL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from results.query.tables import Tables

COUNTS = f"""
    SELECT group_label, zero_one_weight, search_seed, search_key, epoch, num_dominant,
        num_dominant_skip
    FROM epochs JOIN searches ON search_key = stage_key JOIN ({FINAL}) USING (search_key, epoch)
    WHERE kind = 'search'
    ORDER BY group_number, zero_one_weight, search_seed, search_key
"""  # noqa: S608 (made of constants)
POINTS: dict[str, Any] = {"ls": "", "marker": "o", "ms": 3.5, "mec": "white", "mew": 0.4}
MAX_SERIES = 6


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Of each search with sigmoid gates its weight, and its dominant operations at the end."""
    from results.query.outcomes import to_pandas
    from results.query.sql import arrow, query

    found, _ = searches(tables, options, max_groups=len(tables.planned))
    found = found[(found["relaxation"] == "sigmoid") & found["zero_one_weight"].notna()]
    if found.empty:
        raise QueryError(
            "these trials have no search with sigmoid gates, so there is nothing to draw: with "
            "softmax gates the number of dominant operations is always the same."
        )
    found = reaching(tables, found, alike=True)
    rows = to_pandas(query(tables, COUNTS, beside={"searches": arrow(found)}))
    rows = rows[rows["num_dominant"].notna()]
    if rows.empty:
        raise QueryError("these searches have no counts of dominant operations to draw.")
    rows.insert(0, "series", rows["group_label"].map(_without_weight))
    return rows


def _without_weight(label: str) -> str:
    """What groups have in common that differ in the weight."""
    words = [word for word in label.split(" ") if "zero_one_weight=" not in word]
    return " ".join(words) or label


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """Searches as points, their mean as a line."""
    series = list(rows.groupby("series", sort=False))[:MAX_SERIES]
    labels = [fitting(str(name), 1.0, 3 if len(series) <= 3 else 1) for name, _ in series]
    left_out = rows["series"].nunique() - len(series)
    rows = rows[rows["series"].isin([name for name, _ in series])]
    weights = rows["zero_one_weight"]
    span = float(weights.max() - weights.min())
    margin = 0.05 * span or 1.0
    whole = bool((weights % 1 == 0).all())
    figure, ((panel,),) = small_multiples(
        [Block([""])],
        1,
        1.7,
        Scale("weight of the zero-one loss", weights.min() - margin, weights.max() + margin, whole),
        count_scale("dominant operations", rows["num_dominant"].max()),
        width=COLUMN_IN,
        right=text_width(labels) + 0.3 if len(series) > 1 else 0.1,
        note=f"{left_out} more series: --where chooses." if left_out else "",
    )
    ends = []
    for (_, one), label, color in zip(series, labels, GROUP_COLORS, strict=False):
        mean = one.groupby("zero_one_weight")["num_dominant"].mean()
        panel.line(mean.index, mean, color=color)
        panel.line(one["zero_one_weight"], one["num_dominant"], color=color, **POINTS)
        ends.append((float(mean.iloc[-1]), label, color))
    if len(series) > 1:
        label_ends(panel, ends)
    return figure


KIND = Kind(
    "dominance-by-weight",
    "Dominant operations at the end against the weight of the zero-one loss; a point a search.",
    data,
    paint,
    paper="Fig. 8 right",
    options=("trial",),
)
