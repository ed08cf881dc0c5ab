"""The figure `gates`: what the gates of one search of each group were in the end, as a heatmap."""

import math
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.kind import Kind, Options
from results.figures.panels import LINE_IN, fitting, text_width, write_title
from results.figures.places import cell_name, kept, places
from results.figures.searches import NOTE, searches
from results.figures.style import FONT_PT, OPERATION_COLORS, PAGE_IN, SMALL_PT
from results.query.gates import FINAL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from results.query.tables import Tables

GATES = f"""
    SELECT group_number, group_label, num_searches, search_seed, search_key, relaxation, cell, edge,
        operation, epoch, gate
    FROM (
        SELECT group_number, group_label, num_searches, search_seed, search_key, relaxation, epoch,
            unnest(gates) AS gate, CAST(generate_subscripts(gates, 1) - 1 AS SMALLINT) AS position
        FROM epochs JOIN searches ON search_key = stage_key
            JOIN ({FINAL}) USING (search_key, epoch)
        WHERE kind = 'search' AND len(gates) > 0
    ) JOIN places USING (group_number, position)
    ORDER BY group_number, position
"""  # noqa: S608 (made of constants)
GENOTYPES = """
    SELECT searches.search_key, genotype_json, raw_genotype_json
    FROM searches LEFT JOIN genotypes ON stage_key = searches.derive_key
"""
MAX_HEATMAPS = 12
"""More heatmaps than this are too many to compare."""
ROW_IN = 0.16
VALUE_PT = 5.5
HOW_TO_READ = (
    "Framed: in the genotype; dashed: derived, then pruned. Darkest: a gate of 1, or the highest "
    "softmax."
)


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """The final gates of one search of each group, the first with a genotype, and what it kept."""
    from results.query.outcomes import to_pandas
    from results.query.sql import arrow, query

    found, note = searches(tables, options, MAX_HEATMAPS)
    seen = query(tables, FINAL, beside={"searches": arrow(found)}).to_pandas()
    if seen.empty:
        raise QueryError("these trials have no epoch of a search yet, so there is nothing to draw.")
    found = found[found["search_key"].isin(seen["search_key"])]
    genotypes = query(tables, GENOTYPES, beside={"searches": arrow(found)}).to_pandas()
    found = found.merge(genotypes, "left", on="search_key")
    found = found.assign(
        num_searches=found.groupby("group_number")["search_key"].transform("size"),
        underived=found["genotype_json"].isna(),
    )
    found = found.sort_values(["group_number", "underived"], kind="stable")
    found = found.drop_duplicates("group_number")
    beside = {"searches": arrow(found), "places": arrow(places(found))}
    of_them = tables.of_stages(found["search_key"].tolist())
    rows = to_pandas(query(of_them, GATES, beside=beside))
    rows["derived"] = _derived(rows, found)
    rows.attrs[NOTE] = note
    return rows


def _derived(rows: "pd.DataFrame", found: "pd.DataFrame") -> list[str]:
    """Of each gate whether its operation is in the genotype: kept, pruned, or neither."""
    final = _operations(found["group_number"], found["genotype_json"])
    raw = _operations(found["group_number"], found["raw_genotype_json"])
    keys = zip(rows["group_number"], rows["edge"], rows["operation"], strict=True)
    return ["kept" if key in final else "pruned" if key in raw else "" for key in keys]


def _operations(groups: "pd.Series[int]", genotypes: "pd.Series[str]") -> set[tuple[int, str, str]]:
    return {
        (group, *operation)
        for group, genotype in zip(groups, genotypes, strict=True)
        if isinstance(genotype, str)  # A search may have none yet.
        for operation in kept(genotype)
    }


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """A row of heatmaps for each group: columns are edges or layers."""
    from matplotlib.figure import Figure

    groups = [group for _, group in rows.groupby("group_number")]
    left = text_width(rows["operation"].unique()) + 0.12
    heights = [ROW_IN * group["operation"].nunique() + 3 * LINE_IN + 0.1 + 0.08 for group in groups]
    note = fitting(f"{HOW_TO_READ} {rows.attrs.get(NOTE, '')}", PAGE_IN - 0.2, 3)
    below = LINE_IN * (note.count("\n") + 1) + 0.08
    total = sum(heights) + below
    figure = Figure(figsize=(PAGE_IN, total), facecolor="white")
    top = total
    for group, height in zip(groups, heights, strict=True):
        first = group.iloc[0]
        label = str(first["group_label"])
        title = fitting(label, PAGE_IN - 0.2, 1, FONT_PT, ending=_ending(first))
        figure.text(0.05 / PAGE_IN, (top - 0.04) / total, title, va="top", weight="bold")
        cells = list(group.groupby("cell", sort=False))
        width = (PAGE_IN - left - 0.1 - 0.15 * (len(cells) - 1)) / len(cells)
        inside = ROW_IN * group["operation"].nunique()
        for place, (cell, of_cell) in enumerate(cells):
            x = left + place * (width + 0.15)
            bottom = top - 3 * LINE_IN - 0.1 - inside
            axes = figure.add_axes((x / PAGE_IN, bottom / total, width / PAGE_IN, inside / total))
            write_title(axes, cell_name(cell), above=12 / 72)
            _paint_heatmap(axes, of_cell, width, named=place == 0)
        top -= height
    figure.text(0.05 / PAGE_IN, 0.04 / total, note, size=SMALL_PT, va="bottom")
    return figure


def _ending(first: "pd.Series[Any]") -> str:
    others = f" of {first['num_searches']} searches" if first["num_searches"] > 1 else ""
    return f", seed {first['search_seed']}{others}, epoch {first['epoch']}"


def _paint_heatmap(axes: "Axes", rows: "pd.DataFrame", width: float, named: bool) -> None:
    from matplotlib.patches import Rectangle

    edges = list(rows["edge"].unique())
    names = [name for name in OPERATION_COLORS if name in set(rows["operation"])]
    softmax = (rows["relaxation"] == "softmax").any()
    finite = rows["gate"].dropna()  # A search that diverged may have none.
    highest = float(finite.max()) if softmax and len(finite) else 1.0
    values = rows.pivot(index="operation", columns="edge", values="gate").loc[names, edges]
    # White lines between the cells; a missing choice, or a gate that is no number, stays white.
    axes.pcolormesh(
        values.to_numpy(float), cmap="Blues", vmin=0, vmax=highest, edgecolor="white", lw=1
    )
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, pad=1)
    axes.set_xticks([place + 0.5 for place in range(len(edges))], [e.split()[-1] for e in edges])
    axes.set_yticks([place + 0.5 for place in range(len(names))], names if named else [])
    mark = OPERATION_COLORS["skip_connect"]
    size = min(VALUE_PT + 1.5, width / len(edges) * 72 / (3.4 * 0.6))
    for row in rows.to_dict("records"):
        x, y, gate = edges.index(row["edge"]), names.index(row["operation"]), row["gate"]
        if size >= VALUE_PT and not math.isnan(gate):
            axes.text(
                x + 0.5,
                y + 0.53,
                f"{gate:.2f}".lstrip("0").replace("1.00", "1"),
                ha="center",
                va="center",
                size=size,
                color="white" if gate > 0.6 * highest else "#222222",
            )
        if row["derived"]:
            frame = Rectangle(
                (x + 0.06, y + 0.06),
                0.88,
                0.88,
                fill=False,
                ec=mark,
                lw=1.3,
            )
            frame.set_linestyle("-" if row["derived"] == "kept" else (0, (2, 1.2)))
            axes.add_patch(frame)


KIND = Kind(
    "gates",
    "Final gates of one search of each group as a heatmap; what its genotype has is framed.",
    data,
    paint,
    paper="Fig. 1 bottom, 4, S4",
    options=("trial",),
)
