"""The figure `dominant-ops`: dominant operations by their kind, stacked, over the epochs."""

from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.gate_lists import ByEpoch, by_epoch
from results.figures.kind import Kind, Options
from results.figures.panel import Panel
from results.figures.panels import Block, count_scale, epoch_scale, small_multiples
from results.figures.places import cell_name, places_of
from results.figures.searches import NOTE, num_of, reaching, searches
from results.figures.style import OPERATION_COLORS, legend_of, operation_color
from results.query.dominance import dominant

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from results.query.tables import Tables


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Of each group, cell, operation and epoch the number of dominant ones, mean over seeds."""
    import pandas as pd

    found, note = searches(tables, options)
    found = reaching(tables, found)
    parts = [pd.DataFrame(), *map(_counts, by_epoch(tables, found, _are_dominant))]
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        raise QueryError("these trials have no epoch of a search yet, so there is nothing to draw.")
    rows.attrs[NOTE] = note
    return rows


def _are_dominant(gates: "NDArray[Any]", search: "pd.Series[Any]") -> "NDArray[Any]":
    return dominant(gates, places_of(search), search["relaxation"])


def _counts(group: ByEpoch) -> "pd.DataFrame":
    """The rows of one group."""
    import pandas as pd

    places, epochs = places_of(group.search), group.epochs
    parts = []
    for cell, operation in dict.fromkeys((place.cell, place.operation) for place in places):
        columns = [p.position for p in places if (p.cell, p.operation) == (cell, operation)]
        rows = {
            "group_number": group.search["group_number"],
            "group_label": group.search["group_label"],
            "cell": cell,
            "operation": operation,
            "epoch": epochs,
            "num_searches": group.counts[epochs],
            "num_begun": group.search["num_begun"],
            "mean_num_dominant": group.sums[epochs][:, columns].sum(axis=1) / group.counts[epochs],
        }
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True)


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """A panel for each group and cell; all with the same axes, so that heights can be compared."""
    panels = list(rows.groupby(["group_number", "cell"]))
    titles = [str(of_panel["group_label"].iloc[0]) for _, of_panel in panels]
    endings = [
        f", {cell_name(cell)}" + num_of(of_panel["num_searches"].max(), of_panel["num_begun"].max())
        for (_, cell), of_panel in panels
    ]
    operations = [name for name in OPERATION_COLORS if name in set(rows["operation"])]
    columns = 2 if len(panels) <= 6 else 4
    highest = rows.groupby(["group_number", "cell", "epoch"])["mean_num_dominant"].sum().max()
    figure, (painted,) = small_multiples(
        [Block(titles, endings=endings)],
        columns,
        1.3 if columns == 2 else 0.9,
        epoch_scale(rows["epoch"]),
        count_scale("dominant operations", highest),
        legend=legend_of(operations, areas=True),
        note=rows.attrs.get(NOTE, ""),
    )
    for panel, (_, of_panel) in zip(painted, panels, strict=True):
        _paint_panel(panel, of_panel)
    return figure


def _paint_panel(panel: Panel, rows: "pd.DataFrame") -> None:
    import numpy as np

    heights = rows.pivot_table(index="epoch", columns="operation", values="mean_num_dominant")
    names = [name for name in OPERATION_COLORS if name in heights.columns]
    epochs = list(heights.index)
    if len(epochs) == 1:  # A search that has only begun: a bar instead of an area.
        epochs = [epochs[0] - 0.3, epochs[0] + 0.3]
        heights = heights.iloc[[0, 0]]
    # White edges separate areas in grey, too.
    below = np.zeros(len(epochs))
    for name in names:
        above = below + heights[name].to_numpy(dtype=float)
        color = operation_color(name)
        panel.area(epochs, below, above, facecolor=color, edgecolor="white", lw=0.4)
        below = above


KIND = Kind(
    "dominant-ops",
    "Dominant operations by their kind, stacked, per epoch; a panel for each group and cell.",
    data,
    paint,
    paper="Fig. 1 top, 7, S14",
    options=("trial",),
)
