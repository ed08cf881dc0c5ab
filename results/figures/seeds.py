"""The figure `seeds`: every run as a dot, beside the mean of its group and how sure it is."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from results.figures.accuracies import BLOCK, block_title, retrained
from results.figures.kind import Kind, Options
from results.figures.panels import LINE_IN, fitting
from results.figures.style import GROUP_COLORS, INK, PAGE_IN, QUIET, SMALL_PT

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from results.query.tables import Tables

COLUMNS = [
    "group_number",
    "group_label",
    *BLOCK,
    "trial_id",
    "search",
    "search_seed",
    "sample_index",
    "retrain_seed",
    "test_top1_pct",
    "n",
    "planned_searches",
    "planned",
    "top1_pct_mean",
    "top1_pct_low",
    "top1_pct_high",
]
LABEL_IN = 1.9
COUNT_IN = 1.05
LEVEL_IN = 0.06
"""Searches of a group are at different heights, so that their retrainings are seen as theirs."""
MAX_LEVELS = 8
MANY_GROUPS = 12
MAX_LEVELS_OF_MANY = 3
MEAN_IN = 0.13
"""Height of the mean below the dots."""
HEAD_IN = 0.22
AXIS_IN = 0.5
MANY_DOTS = 2000
"""More dots than this are an image in SVG and PDF, too; otherwise such files take minutes."""


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Every retraining with the mean of its group and its 95 % t-interval, as `results table`.

    A group without a finished trial has one row, without an accuracy.
    """
    import pandas as pd

    from results.query.aggregate import aggregate

    trials = retrained(tables)
    groups = aggregate(trials).set_index("group_id")
    trials = trials.join(groups[COLUMNS[COLUMNS.index("n") :]], on="group_id")
    runs = trials[(trials["outcome"] == "ok") & trials["test_top1_pct"].notna()]
    without = trials[~trials["group_number"].isin(runs["group_number"])]
    kept = runs.index.union(without.drop_duplicates("group_number").index)
    rows = trials.loc[kept, COLUMNS]
    return pd.DataFrame(rows.sort_values(["group_number"], kind="stable"))


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """A row for each group: its searches at heights of their own, the mean below them."""
    from matplotlib.figure import Figure

    num_groups = rows["group_number"].nunique()
    most = MAX_LEVELS if num_groups <= MANY_GROUPS else MAX_LEVELS_OF_MANY
    blocks = [
        (block_title(where), [group for _, group in block.groupby("group_number", sort=False)])
        for where, block in rows.groupby(BLOCK, sort=False)
    ]
    heads = [HEAD_IN + LINE_IN * title.count("\n") for title, _ in blocks]
    heights = [[_height(group, most) for group in groups] for _, groups in blocks]
    total = sum(heads) + sum(sum(some) + AXIS_IN for some in heights)
    figure = Figure(figsize=(PAGE_IN, total), facecolor="white")
    y = total
    for (title, groups), some, head in zip(blocks, heights, heads, strict=True):
        y -= head
        figure.text(0.05 / PAGE_IN, (y + 0.06) / total, title, weight="bold")
        width = PAGE_IN - LABEL_IN - COUNT_IN
        box = (LABEL_IN, y - sum(some), width, sum(some))
        axes = figure.add_axes((box[0] / PAGE_IN, box[1] / total, width / PAGE_IN, box[3] / total))
        _paint_block(axes, groups, some, most)
        y -= sum(some) + AXIS_IN
    return figure


def _height(group: "pd.DataFrame", most: int) -> float:
    label = fitting(group["group_label"].iloc[0], LABEL_IN - 0.15, 3)
    levels = min(group["search"].nunique(), most)
    return max(levels * LEVEL_IN + MEAN_IN, (label.count("\n") + 1) * LINE_IN) + 0.12


def _paint_block(
    axes: "Axes", groups: "list[pd.DataFrame]", heights: list[float], most: int
) -> None:
    low, high = _limits(value for group in groups for value in group["test_top1_pct"])
    axes.set_xlim(low, high)
    axes.set_ylim(sum(heights), 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="x", length=2)
    axes.grid(axis="x", color=QUIET, lw=0.4, alpha=0.4)
    axes.set_axisbelow(True)
    axes.set_xlabel("test accuracy at the last epoch, %")
    if not any(group["test_top1_pct"].notna().any() for group in groups):
        axes.set_xticks([])
        axes.set_xlabel("no trial is finished yet")
    top = 0.0
    for place, (group, height) in enumerate(zip(groups, heights, strict=True)):
        first = group.iloc[0]
        color = GROUP_COLORS[place if len(groups) <= len(GROUP_COLORS) else 0]
        if top:
            axes.axhline(top, color=QUIET, lw=0.4, alpha=0.4)
        _beside(axes, top + height / 2, first["group_label"], _counted(group))
        _paint_runs(axes, group, top + 0.06, most, color)
        if group["test_top1_pct"].notna().any():
            _paint_mean(axes, first, top + height - 0.06 - MEAN_IN / 2)
        top += height


def _limits(values: Iterable[float]) -> tuple[float, float]:
    """The range of the runs, with a margin. Intervals may reach beyond: of two seeds they would
    leave no room for the dots.
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0, 100.0]
    low, high = min(finite), max(finite)
    margin = 0.12 * (high - low) or 0.5
    return low - margin, high + margin


def _counted(group: "pd.DataFrame") -> str:
    first = group.iloc[0]
    searches, runs = (
        f"{some}" if some == planned else f"{some} of {planned}"
        for some, planned in (
            (int(first["n"]), int(first["planned_searches"])),
            (int(group["test_top1_pct"].notna().sum()), int(first["planned"])),
        )
    )
    return f"n = {searches}" if runs == searches else f"n = {searches}\n{runs} runs"


def _beside(axes: "Axes", y: float, label: str, count: str) -> None:
    across = axes.get_yaxis_transform()
    label = fitting(label, LABEL_IN - 0.15, 3)
    axes.text(-0.02, y, label, transform=across, ha="right", va="center", size=SMALL_PT)
    axes.text(1.02, y, count, transform=across, va="center", size=SMALL_PT)


def _paint_runs(axes: "Axes", group: "pd.DataFrame", top: float, most: int, color: str) -> None:
    """A dot for each run; a line joins the retrainings of one search."""
    import pandas as pd

    numbers = pd.factorize(group["search"])[0]
    levels = min(numbers.max() + 1, most)
    runs = group.assign(y=top + (numbers % levels + 0.5) * LEVEL_IN)
    runs = runs[runs["test_top1_pct"].notna()]
    of_search = runs.groupby("search")["test_top1_pct"].agg(["min", "max"])
    of_search = of_search.assign(y=runs.groupby("search")["y"].first())
    of_search = of_search[of_search["min"] < of_search["max"]]
    axes.hlines(of_search["y"], of_search["min"], of_search["max"], color=color, lw=1.1, alpha=0.6)
    xs, ys = runs["test_top1_pct"], runs["y"]
    many = len(xs) > MANY_DOTS
    style = {"ms": 2, "alpha": 0.3, "mew": 0} if many else {"ms": 3.6, "mec": "white", "mew": 0.4}
    axes.plot(xs, ys, "o", color=color, rasterized=many, **style)


def _paint_mean(axes: "Axes", group: "pd.Series[float]", y: float) -> None:
    mean, low, high = (float(group[f"top1_pct_{name}"]) for name in ("mean", "low", "high"))
    if math.isfinite(low):
        left, right = axes.get_xlim()
        shown = max(low, left), min(high, right)
        axes.plot(shown, [y, y], color=INK, lw=1.2, solid_capstyle="butt")
        for end, edge, cut in ((low, left, "<"), (high, right, ">")):
            beyond = end < edge if cut == "<" else end > edge
            mark = cut if beyond else "|"
            axes.plot([edge if beyond else end], [y], mark, color=INK, ms=4, clip_on=False)
    axes.plot([mean], [y], "D", color=INK, ms=4, mec="white", mew=0.5)


KIND = Kind(
    "seeds",
    "Every retraining as a dot, those of one search joined by a line; below them the mean over "
    "searches with its 95 % t-interval (an arrow: it goes on).",
    data,
    paint,
)
