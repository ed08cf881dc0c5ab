"""The figure `evolution`: which operations are dominant at each epoch, as a film strip."""

from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.kind import Kind, Options
from results.figures.panels import LINE_IN, epoch_scale, fitting, write_title
from results.figures.places import cell_name, edge_name, kept, places_of
from results.figures.searches import searches
from results.figures.style import (
    INK,
    OPERATION_COLORS,
    PAGE_IN,
    QUIET,
    SMALL_PT,
    legend_of,
    operation_color,
)
from results.query.dominance import dominant

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from results.query.tables import Tables

EPOCHS = """
    SELECT epoch, gates FROM epochs JOIN chosen ON search_key = stage_key
    WHERE kind = 'search' AND len(gates) > 0
    ORDER BY epoch
"""
BEGUN = """
    SELECT search_key FROM epochs JOIN searches ON search_key = stage_key
    WHERE kind = 'search' AND num_dominant IS NOT NULL
    GROUP BY search_key
"""
DERIVED = """
    SELECT genotype_json, epoch FROM genotypes JOIN chosen ON stage_key = chosen.derive_key
    WHERE genotype_json IS NOT NULL
"""
DERIVED_IN = "derived"
"""Value of the column `part` for the operations of the genotype."""
LEFT_IN = 0.62
FINAL_IN = 0.5
"""Width of the column with the genotype."""
GAP_IN = 0.12
ROW_IN = 0.17
HEAD_IN = 0.24
AXIS_IN = 0.4


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """What is dominant on every edge or layer of one search, at each epoch, and what was derived.

    An edge without a dominant operation has a row without `operation`. The search is that of the
    trial that the options name, else the first of the plan that has begun.
    """
    import pandas as pd

    from results.query.outcomes import to_pandas
    from results.query.sql import arrow, query

    found, _ = searches(tables, options)
    begun = to_pandas(query(tables, BEGUN, beside={"searches": arrow(found)}))
    found = found[found["search_key"].isin(begun["search_key"])]
    if found.empty:
        raise QueryError("these trials have no epoch of a search yet, so there is nothing to draw.")
    search = found.iloc[0]
    chosen = {"chosen": arrow(found.iloc[:1])}
    epochs = query(tables.of_stages([search["search_key"]]), EPOCHS, beside=chosen)
    rows = _dominant(epochs.to_pylist(), search)
    for genotype in query(tables, DERIVED, beside=chosen).to_pylist():
        for edge, operation in sorted(kept(genotype["genotype_json"])):
            cell = "layers" if edge.isdecimal() else edge.split()[0]
            rows.append(
                {"part": DERIVED_IN, "cell": cell, "edge": edge, "operation": operation}
                | {"epoch": genotype["epoch"]}
            )
    columns = ["group_label", "search_seed", "search_key", "relaxation"]
    frame = pd.DataFrame(rows).assign(**{name: search[name] for name in columns})
    frame["num_searches"] = len(found)
    frame["epoch"] = frame["epoch"].astype("Int64")  # Of a genotype it may be missing.
    return frame


def _dominant(epochs: list[dict[str, Any]], search: "pd.Series[Any]") -> list[dict[str, Any]]:
    import numpy as np

    places = places_of(search)
    if any(len(row["gates"]) != len(places) for row in epochs):
        raise QueryError(
            f"search {search['search_key']} is in the space {search['space']}, which this version "
            "does not know, so there is nothing to draw."
        )
    mask = dominant(np.array([row["gates"] for row in epochs]), places, search["relaxation"])
    nothing: list[str | None] = [None]
    edges: dict[tuple[str, str], list[int]] = {}
    for place in places:
        edges.setdefault((place.cell, edge_name(place)), []).append(place.position)
    return [
        {"part": "dominant", "cell": cell, "edge": edge, "epoch": row["epoch"], "operation": name}
        for (cell, edge), positions in edges.items()
        for row, is_dominant in zip(epochs, mask, strict=True)
        for name in [places[one].operation for one in positions if is_dominant[one]] or nothing
    ]


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """A strip for each edge or layer; the genotype stands framed at its end."""
    from matplotlib.figure import Figure

    first = rows.iloc[0]
    cells = [cell for _, cell in rows.groupby("cell", sort=False)]
    num_rows = max(cell["edge"].nunique() for cell in cells)
    operations = [name for name in OPERATION_COLORS if name in set(rows["operation"].dropna())]
    note = fitting(_note(first), PAGE_IN - 0.2, 3)
    below = AXIS_IN + (note.count("\n") + 1) * LINE_IN
    above = 2 * HEAD_IN + 0.24
    height = num_rows * ROW_IN
    total = above + height + below
    figure = Figure(figsize=(PAGE_IN, total), facecolor="white")
    title = fitting(f"{first['group_label']}, seed {first['search_seed']}", PAGE_IN - 0.2)
    figure.text(0.05 / PAGE_IN, 1 - 0.16 / total, title, weight="bold")
    figure.legend(
        handles=legend_of(operations, areas=True),
        loc="upper left",
        bbox_to_anchor=(0.0, 1 - HEAD_IN / total),
        ncols=7,
        borderaxespad=0.1,
        columnspacing=0.9,
        handlelength=1.2,
    )
    width = PAGE_IN / len(cells) - LEFT_IN - FINAL_IN - GAP_IN - 0.08
    for place, cell in enumerate(cells):
        x = place * PAGE_IN / len(cells) + LEFT_IN
        inside = cell["edge"].nunique() * ROW_IN
        bottom = total - above - inside
        strip = figure.add_axes((x / PAGE_IN, bottom / total, width / PAGE_IN, inside / total))
        final = figure.add_axes(
            ((x + width + GAP_IN) / PAGE_IN, bottom / total, FINAL_IN / PAGE_IN, inside / total)
        )
        _paint_strip(strip, cell[cell["part"] != DERIVED_IN], width)
        _paint_final(final, cell)
        write_title(strip, cell_name(cell["cell"].iloc[0]))
    figure.text(0.05 / PAGE_IN, 0.04 / total, note, size=SMALL_PT, va="bottom")
    return figure


def _note(first: "pd.Series[Any]") -> str:
    rule = "gates above 0.75"
    if first["relaxation"] == "softmax":
        rule = "the highest gates, two for each node or one for each layer"
    others = ""
    if first["num_searches"] > 1:
        others = f" One of {first['num_searches']} searches: --trial shows another."
    return (
        f"Shown are dominant operations ({rule}); several share the height of a row. What the "
        f"method's own rule derived is framed.{others}"
    )


def _paint_strip(axes: "Axes", rows: "pd.DataFrame", width: float) -> None:
    x = epoch_scale(rows["epoch"])
    edges = list(rows["edge"].unique())
    boxes, colors = [], []
    for place, (_, edge) in enumerate(rows.groupby("edge", sort=False)):
        for begin, end, names in _runs(edge):
            some, of_them = _boxes(begin - 0.5, end + 0.5, place, names)
            boxes += some
            colors += of_them
    _frame(axes, edges, boxes, colors)
    axes.set_xlim(rows["epoch"].min() - 0.5, rows["epoch"].max() + 0.5)
    axes.set_xticks(x.ticks_in(width))
    axes.set_xlabel("epoch", labelpad=2)
    axes.set_yticks([place + 0.5 for place in range(len(edges))], [e.split()[-1] for e in edges])


def _paint_final(axes: "Axes", rows: "pd.DataFrame") -> None:
    import pandas as pd
    from matplotlib.patches import Rectangle

    edges = list(rows[rows["part"] != DERIVED_IN]["edge"].unique())
    derived = rows[rows["part"] == DERIVED_IN]
    boxes, colors = [], []
    for edge, of_edge in derived.groupby("edge"):
        place = edges.index(edge)
        some, of_them = _boxes(0, 1, place, list(of_edge["operation"]))
        boxes += some
        colors += of_them
        axes.add_patch(Rectangle((0, place + 0.1), 1, 0.8, fill=False, ec=INK, lw=1, zorder=3))
    _frame(axes, edges, boxes, colors)
    axes.set_xlim(-0.05, 1.05)
    axes.set(xticks=[], yticks=[])
    epoch = derived["epoch"].max()
    write_title(axes, "derived" if len(derived) else "not yet")
    if pd.notna(epoch):
        axes.set_xlabel(f"epoch {epoch}", size=SMALL_PT, labelpad=4)


def _runs(edge: "pd.DataFrame") -> list[tuple[int, int, list[str]]]:
    """Epochs in a row with the same operations: the first, the last, and the operations."""
    of_epochs: dict[int, list[str]] = {}
    for epoch, name in zip(edge["epoch"].tolist(), edge["operation"].tolist(), strict=True):
        of_epochs.setdefault(epoch, []).extend([name] if isinstance(name, str) else [])
    found: list[tuple[int, int, list[str]]] = []
    for epoch, names in of_epochs.items():
        if found and found[-1][1:] == (epoch - 1, names):
            found[-1] = (found[-1][0], epoch, names)
        else:
            found.append((epoch, epoch, names))
    return found


def _boxes(
    begin: float, end: float, place: int, names: list[str]
) -> tuple[list[list[tuple[float, float]]], list[str]]:
    """Boxes of operations that share the height of a row, and their colours."""
    boxes = []
    for number in range(len(names)):
        low, high = (place + 0.1 + 0.8 * part / len(names) for part in (number, number + 1))
        boxes.append([(begin, low), (end, low), (end, high), (begin, high)])
    return boxes, [operation_color(name) for name in names]


def _frame(axes: "Axes", edges: list[str], boxes: list[Any], colors: list[str]) -> None:
    """Add boxes, and lines between the nodes that edges lead to."""
    from matplotlib.collections import PolyCollection

    axes.add_collection(PolyCollection(boxes, facecolors=colors, lw=0))
    nodes = [edge.split("-")[-1] for edge in edges]
    if "-" in edges[0]:
        for place in range(1, len(edges)):
            if nodes[place] != nodes[place - 1]:
                axes.axhline(place, color=QUIET, lw=0.5)
    axes.set_ylim(len(edges), 0)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)


KIND = Kind(
    "evolution",
    "Dominant operations of one search at every epoch (gates above 0.75; of softmax gates the "
    "highest: what the tables can tell without the method's rule), beside its genotype.",
    data,
    paint,
    options=("trial",),
)
