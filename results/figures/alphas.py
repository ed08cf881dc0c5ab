"""The figure `alphas`: the gates of every edge or layer over the epochs, a line an operation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.gate_lists import gate_lists
from results.figures.kind import Kind, Options
from results.figures.panels import (
    Block,
    Scale,
    epoch_scale,
    label_ends,
    small_multiples,
    text_width,
)
from results.figures.places import places
from results.figures.searches import MAX_GROUPS, NOTE, num_of, reaching, searches
from results.figures.style import OPERATION_COLORS, PAGE_IN, SKIPS, legend_of, operation_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from results.query.tables import Tables

MAX_WITH_ALL_EDGES = 4
"""Of more groups than this only one edge fits a figure."""


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Of each group, operation of an edge, and epoch: the gate's mean, lowest and highest."""
    import pandas as pd

    most = MAX_WITH_ALL_EDGES if options.edge is None else MAX_GROUPS
    found, note = searches(tables, options, most)
    found = reaching(tables, found)
    named = places(found, options.edge)
    parts = [
        _means(group, named[named["group_number"] == group["group_number"]], epochs, gates)
        for group, epochs, gates in gate_lists(tables, found)
    ]
    rows = pd.concat([pd.DataFrame(), *parts], ignore_index=True)
    if rows.empty:
        raise QueryError("these trials have no epoch of a search yet, so there is nothing to draw.")
    rows.attrs[NOTE] = note
    return rows


def _means(
    group: "pd.Series[Any]", named: "pd.DataFrame", epochs: "NDArray[Any]", gates: "NDArray[Any]"
) -> "pd.DataFrame":
    """The rows of one group, of those places that are named."""
    import numpy as np
    import pandas as pd

    order = np.argsort(epochs, kind="stable")
    chosen = gates[np.ix_(order, named["position"].to_numpy())]
    reached, starts, counts = np.unique(epochs[order], return_index=True, return_counts=True)
    means = np.add.reduceat(chosen, starts, axis=0, dtype=np.float64) / counts[:, None]
    columns = {
        name: np.repeat(named[name].to_numpy(), len(reached))
        for name in ("cell", "edge", "operation")
    }
    return pd.DataFrame(
        {
            "group_number": group["group_number"],
            "group_label": group["group_label"],
            **columns,
            "epoch": np.tile(reached, len(named)),
            "num_searches": np.tile(counts, len(named)),
            "num_begun": group["num_begun"],
            "mean_gate": means.T.ravel(),
            "min_gate": np.minimum.reduceat(chosen, starts, axis=0).T.ravel(),
            "max_gate": np.maximum.reduceat(chosen, starts, axis=0).T.ravel(),
        }
    )


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """Means over seeds as lines; the band goes from the lowest to the highest seed."""
    groups = [group for _, group in rows.groupby("group_number")]
    titles = [str(group["group_label"].iloc[0]) for group in groups]
    counts = [num_of(group["num_searches"].max(), group["num_begun"].max()) for group in groups]
    operations = [name for name in OPERATION_COLORS if name in set(rows["operation"])]
    note = rows.attrs.get(NOTE, "")
    if rows["num_searches"].max() > 1:
        # Seven bands would hide each other in a small panel.
        what = " of skip connections" if options.edge is None else ""
        bands = f"Lines: means of n searches; bands{what}: from lowest to highest."
        note = f"{bands} {note}".strip()
    endings = [f", {_edge_title(rows['edge'].iloc[0])}{count}" for count in counts]
    scales = epoch_scale(rows["epoch"]), _gate_scale(rows)
    if options.edge is None:
        figure, blocks = small_multiples(
            [
                Block(
                    [_edge_title(edge) for edge in group["edge"].unique()],
                    title + count,
                    y=_gate_scale(group),
                )
                for title, count, group in zip(titles, counts, groups, strict=True)
            ],
            7,
            0.72,
            *scales,
            legend=legend_of(operations),
            note=note,
        )
    elif len(groups) == 1:
        right = text_width(operations) + 0.25
        figure, blocks = small_multiples(
            [Block(titles, endings=endings)],
            1,
            2.4,
            *scales,
            width=PAGE_IN * 0.72,
            right=right,
            note=note,
        )
    else:
        figure, (panels,) = small_multiples(
            [Block(titles, endings=endings)],
            2 if len(groups) <= 4 else 4,
            1.6 if len(groups) <= 4 else 1.0,
            *scales,
            legend=legend_of(operations),
            note=note,
        )
        blocks = [[axes] for axes in panels]
    for panels, group in zip(blocks, groups, strict=True):
        for axes, (_, of_edge) in zip(panels, group.groupby("edge", sort=False), strict=True):
            ends = _paint_edge(axes, of_edge, SKIPS if options.edge is None else operations)
    if options.edge is not None and len(groups) == 1:
        label_ends(blocks[0][0], ends)
    return figure


def _gate_scale(rows: "pd.DataFrame") -> Scale:
    """From 0 to 1, or less for softmax gates, which stay far below."""
    highest = float(rows["max_gate"].max())
    return Scale("gate", 0, 1 if highest > 0.5 else highest * 1.1)


def _edge_title(edge: str) -> str:
    return edge if " " in edge else f"layer {edge}"


def _paint_edge(
    axes: "Axes", rows: "pd.DataFrame", banded: Sequence[str]
) -> list[tuple[float, str, str]]:
    """Paint the operations of an edge; return where their lines end, for labels."""
    ends = []
    for operation, line in rows.groupby("operation", sort=False):
        how = operation_line(str(operation))
        epochs = line["epoch"].to_numpy(float)
        if operation in banded and line["num_searches"].max() > 1:
            axes.fill_between(
                line["epoch"],
                line["min_gate"],
                line["max_gate"],
                color=how["color"],
                alpha=0.13,
                lw=0,
            )
        single: dict[str, Any] = {"marker": "o", "ms": 2} if len(line) == 1 else {}
        axes.plot(epochs, line["mean_gate"], **how, **single)
        ends.append((float(line["mean_gate"].iloc[-1]), str(operation), how["color"]))
    return ends


KIND = Kind(
    "alphas",
    "Gates over the epochs: a panel for each edge or layer, a line for each operation.",
    data,
    paint,
    paper="Fig. 3, S2, S3, S9-S13, S15, S16",
    options=("trial", "edge"),
)
