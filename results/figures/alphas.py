"""The figure `alphas`: the gates of every edge or layer over the epochs, a line an operation."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.gate_lists import ByEpoch, by_epoch
from results.figures.kind import Kind, Options
from results.figures.panel import Panel, Scale
from results.figures.panels import (
    Block,
    Multiples,
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
    from matplotlib.figure import Figure

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
        _means(group, named[named["group_number"] == group.search["group_number"]])
        for group in by_epoch(tables, found)
    ]
    rows = pd.concat([pd.DataFrame(), *parts], ignore_index=True)
    if rows.empty:
        raise QueryError("these trials have no epoch of a search yet, so there is nothing to draw.")
    rows.attrs[NOTE] = note
    return rows


def _means(group: ByEpoch, named: "pd.DataFrame") -> "pd.DataFrame":
    """The rows of one group, of those places that are named."""
    import numpy as np
    import pandas as pd

    epochs, places = group.epochs, named["position"].to_numpy()
    of_group = ("group_number", "group_label", "relaxation", "num_begun")
    of_place = ("cell", "edge", "operation")
    lows, highs = (limits[epochs][:, places] for limits in (group.lows, group.highs))
    return pd.DataFrame(
        {
            **{name: group.search[name] for name in of_group},
            **{name: np.repeat(named[name].to_numpy(), len(epochs)) for name in of_place},
            "epoch": np.tile(epochs, len(places)),
            "num_searches": np.tile(group.counts[epochs], len(places)),
            "mean_gate": group.means[:, places].T.ravel(),
            "min_gate": lows.T.ravel(),
            "max_gate": highs.T.ravel(),
        }
    )


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """Means over seeds as lines; the band goes from the lowest to the highest seed."""
    groups = [group for _, group in rows.groupby("group_number")]
    operations = [name for name in OPERATION_COLORS if name in rows["operation"].unique()]
    if options.edge is not None:
        groups.sort(key=_relaxation)  # As they stand in blocks.
    # Seven bands hide each other, unless the panel is a large one.
    banded = operations if options.edge is not None and len(groups) == 1 else SKIPS
    what = "" if banded is operations else " of skip connections"
    multiples = _all_edges if options.edge is None else _one_edge
    figure, blocks = multiples(groups, operations, _note(rows, what))
    panels = [panel for block in blocks for panel in block]
    edges = [edge for group in groups for _, edge in group.groupby("edge", sort=False)]
    ends = [_paint_edge(panel, edge, banded) for panel, edge in zip(panels, edges, strict=True)]
    if options.edge is not None and _num_columns(groups) == 1:
        for panel, of_panel in zip(panels, ends, strict=True):
            label_ends(panel, of_panel)
    return figure


def _note(rows: "pd.DataFrame", banded: str) -> str:
    note = str(rows.attrs.get(NOTE, ""))
    if rows["num_searches"].max() == 1:
        return note
    bands = f"Lines: means of n searches; bands{banded}: from lowest to highest."
    return f"{bands} {note}".strip()


def _all_edges(groups: "Sequence[pd.DataFrame]", operations: Sequence[str], note: str) -> Multiples:
    """A block for each group, a panel for each edge."""
    blocks = [
        Block(
            [_edge_title(edge) for edge in group["edge"].unique()],
            _title(group) + _count(group),
            y=_gate_scale([group]),
        )
        for group in groups
    ]
    legend = legend_of(operations)
    return small_multiples(blocks, 7, 0.72, *_scales(groups), legend=legend, note=note)


def _one_edge(groups: "Sequence[pd.DataFrame]", operations: Sequence[str], note: str) -> Multiples:
    """A panel for each group. Softmax gates, which stay small, have a scale of their own."""
    edge = _edge_title(groups[0]["edge"].iloc[0])
    alike = [(name, list(some)) for name, some in groupby(groups, _relaxation)]
    blocks = [
        Block(
            [_title(group) for group in some],
            f"{name} gates" if len(alike) > 1 else "",
            [f", {edge}{_count(group)}" for group in some],
            _gate_scale(some),
        )
        for name, some in alike
    ]
    columns, scales = _num_columns(groups), _scales(groups)
    if columns == 1:
        right, width = text_width(operations) + 0.25, PAGE_IN * 0.72
        height = 2.4 / len(groups) ** 0.5
        return small_multiples(blocks, 1, height, *scales, width=width, right=right, note=note)
    height, legend = 1.6 if columns == 2 else 1.0, legend_of(operations)
    return small_multiples(blocks, columns, height, *scales, legend=legend, note=note)


def _num_columns(groups: "Sequence[pd.DataFrame]") -> int:
    """Panels in a row; groups of one kind stand in one block."""
    most = max(Counter(map(_relaxation, groups)).values())
    return min(most, 2) if len(groups) <= 4 else 4


def _relaxation(group: "pd.DataFrame") -> str:
    return str(group["relaxation"].iloc[0])


def _title(group: "pd.DataFrame") -> str:
    return str(group["group_label"].iloc[0])


def _count(group: "pd.DataFrame") -> str:
    return num_of(group["num_searches"].max(), group["num_begun"].max())


def _scales(groups: "Sequence[pd.DataFrame]") -> tuple[Scale, Scale]:
    epochs = [group["epoch"].agg(end) for group in groups for end in ("min", "max")]
    return epoch_scale(epochs), _gate_scale(groups)


def _gate_scale(groups: "Sequence[pd.DataFrame]") -> Scale:
    """From 0 to 1, or less for softmax gates, which stay far below."""
    highest = max(float(group["max_gate"].max()) for group in groups)
    return Scale("gate", 0, 1 if highest > 0.5 else highest * 1.1)


def _edge_title(edge: str) -> str:
    return edge if " " in edge else f"layer {edge}"


def _paint_edge(
    panel: Panel, rows: "pd.DataFrame", banded: Sequence[str]
) -> list[tuple[float, str, str]]:
    """Paint the operations of an edge; return where their lines end, for labels."""
    ends = []
    single: dict[str, Any] = {}
    if rows["epoch"].nunique() == 1:
        single = {"marker": "o", "ms": 2}
    for operation, line in rows.groupby("operation", sort=False):
        how = operation_line(str(operation))
        epochs, mean = line["epoch"].to_numpy(), line["mean_gate"].to_numpy()
        if operation in banded and line["num_searches"].max() > 1:
            low, high = line["min_gate"].to_numpy(), line["max_gate"].to_numpy()
            panel.area(epochs, low, high, color=how["color"], alpha=0.13, lw=0)
        panel.line(epochs, mean, **how, **single)
        ends.append((float(mean[-1]), str(operation), how["color"]))
    return ends


KIND = Kind(
    "alphas",
    "Gates over the epochs: a panel for each edge or layer, a line for each operation.",
    data,
    paint,
    paper="Fig. 3, S2, S3, S9-S13, S15, S16",
    options=("trial", "edge"),
)
