"""The figure `curves`: losses and accuracies over the epochs of searches and retrainings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.accuracies import BLOCK, block_title
from results.figures.kind import Kind, Options
from results.figures.panel import Panel, Scale, covering
from results.figures.panels import LINE_IN, epoch_scale, fitting, label_ends
from results.figures.style import FONT_PT, GROUP_COLORS, PAGE_IN, SMALL_PT

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from results.query.tables import Tables

PANELS = {
    ("search", "loss"): ("train_loss", "arch_loss"),
    ("search", "accuracy, %"): ("train_top1_pct", "arch_top1_pct"),
    ("retrain", "loss"): ("train_loss", "test_loss"),
    ("retrain", "accuracy, %"): ("train_top1_pct", "test_top1_pct"),
}
"""Of each panel the column of images trained on, and that of images that are not."""
METRICS = (
    "train_loss",
    "train_top1_pct",
    "arch_loss",
    "arch_top1_pct",
    "test_loss",
    "test_top1_pct",
)
KEY = (
    "Solid: images that train alphas (search), test images (retrain), ± 1 std over searches. "
    "Dashed: images that train weights."
)

_MEANS = ", ".join(f"avg({name}) FILTER (isfinite({name})) AS {name}" for name in METRICS)
_OVER_SEARCHES = ", ".join(
    f"count({name}) AS {name}_n, avg({name}) AS {name}_mean, stddev_samp({name}) AS {name}_std"
    for name in METRICS
)
CURVES = f"""
    SELECT group_number, kind, epoch, {_OVER_SEARCHES}
    FROM (
        SELECT group_number, kind, search, epoch, {_MEANS}
        FROM epochs JOIN stages USING (stage_key)
        GROUP BY group_number, kind, search, epoch
    )
    GROUP BY group_number, kind, epoch
    ORDER BY group_number, kind DESC, epoch
"""  # noqa: S608 (made of constants)
"""Retrainings of one search are averaged first; losses that are not finite are left out."""
MAX_TOGETHER = 5
"""More groups than this get a row of panels each."""
LEFT_IN = 0.5
GAP_IN = 0.42
LABELS_IN = 1.45
HEAD_IN = 0.42
ABOVE_IN = 0.24
AXIS_IN = 0.42


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Of each group, kind of stage, epoch and metric: searches, mean and standard deviation."""
    import pandas as pd

    from results.query.outcomes import to_pandas
    from results.query.sql import arrow, query

    groups, stages = _stages(tables)
    if stages.empty:
        raise QueryError("these trials have no stages with epochs, so there is nothing to draw.")
    wide = to_pandas(query(tables, CURVES, beside={"stages": arrow(stages)}))
    parts = []
    for metric in METRICS:
        columns = {f"{metric}_{part}": part for part in ("n", "mean", "std")}
        part = wide[["group_number", "kind", "epoch", *columns]].rename(columns=columns)
        parts.append(part[part["n"] > 0].assign(metric=metric))
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        raise QueryError("no epoch has been finished yet, so there is nothing to draw.")
    rows = groups.merge(rows, on="group_number")
    return rows[[*groups.columns, "kind", "metric", "epoch", "n", "mean", "std"]]


def _stages(tables: "Tables") -> "tuple[pd.DataFrame, pd.DataFrame]":
    """The groups of trials, and of each the stages that have epochs."""
    import pandas as pd

    from results.query.labels import tell_apart
    from results.query.outcomes import to_pandas
    from results.query.versus import pooled

    trials = tell_apart(pooled(to_pandas(tables.read("trials")), ""))
    firsts = trials.drop_duplicates("group_id").reset_index(drop=True)
    numbers = {group_id: number for number, group_id in firsts["group_id"].items()}
    groups = firsts[["group_label", *BLOCK]].rename_axis("group_number").reset_index()
    trials = trials.assign(
        group_number=trials["group_id"].map(numbers),
        search=pd.factorize(trials["search_key"].fillna(trials["sample_key"]))[0],
    )
    stages = [
        trials[["group_number", "search", name]].rename(columns={name: "stage_key"})
        for name in ("search_key", "retrain_key")
    ]
    return groups, pd.concat(stages).dropna().drop_duplicates(["group_number", "stage_key"])


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """Means as lines; those of images that were not trained on have bands."""
    from matplotlib.figure import Figure

    blocks = [_Grid(block) for _, block in rows.groupby(BLOCK, sort=False, dropna=False)]
    total = sum(block.height for block in blocks)
    figure = Figure(figsize=(PAGE_IN, total), facecolor="white")
    axes = covering(figure)
    top = total
    for block in blocks:
        block.paint(axes, top)
        top -= block.height
    return figure


class _Grid:
    """The panels of one data set and recipe.

    A few groups share panels, two in a row: searches above retrainings. Of many groups each has a
    row of four.
    """

    def __init__(self, rows: "pd.DataFrame") -> None:
        dataset, recipe = rows[BLOCK].iloc[0]
        self.title = block_title([dataset, recipe if isinstance(recipe, str) else "searches only"])
        self.head = HEAD_IN + LINE_IN * self.title.count("\n")
        self.curves = {
            (number, kind, metric): _reached_by_most(curve)
            for (number, kind, metric), curve in rows.groupby(["group_number", "kind", "metric"])
        }
        firsts = rows.drop_duplicates("group_number")
        most = rows.groupby("group_number")["n"].max()
        self.labels = {
            number: f"{label} (n = {most[number]})"
            for number, label in zip(firsts["group_number"], firsts["group_label"], strict=True)
        }
        self.scales = {panel: self._scales(panel) for panel in PANELS}
        kinds = [kind for kind in ("search", "retrain") if kind in set(rows["kind"])]
        self.together = len(self.labels) <= MAX_TOGETHER
        panels = [panel for panel in PANELS if panel[0] in kinds]
        if self.together:
            self.rows = [[panel for panel in panels if panel[0] == kind] for kind in kinds]
        else:
            self.rows = [panels] * len(self.labels)
        self.size = (1.55 if self.together else 0.65, LABELS_IN if self.together else 0.1)
        self.height = self.head + len(self.rows) * (ABOVE_IN + self.size[0]) + AXIS_IN
        self.height += AXIS_IN * (len(self.rows) - 1) if self.together else ABOVE_IN

    def paint(self, axes: "Axes", top: float) -> None:
        """Paint the block below some height, in inches."""
        height, right = self.size
        columns = len(self.rows[0])
        width = (PAGE_IN - LEFT_IN - right - GAP_IN * (columns - 1)) / columns
        title_at = top - self.head + HEAD_IN - 0.16
        _text(axes, 0.05, title_at, self.title, weight="bold", size=FONT_PT)
        _text(axes, 0.05, title_at - 0.16, fitting(KEY, PAGE_IN))
        top -= self.head + (0 if self.together else ABOVE_IN)
        for number, row in enumerate(self.rows):
            groups = list(self.labels) if self.together else [list(self.labels)[number]]
            last = self.together or number == len(self.rows) - 1
            top -= ABOVE_IN
            if not self.together:
                _text(axes, LEFT_IN, top + 0.05, fitting(self.labels[groups[0]], PAGE_IN - 0.6))
            for place, panel in enumerate(row):
                x = LEFT_IN + place * (width + GAP_IN)
                if self.together or number == 0:
                    above = 0.05 if self.together else ABOVE_IN + 0.05
                    _text(axes, x, top + above, ", ".join(panel))
                painted = Panel(axes, x, top - height, width, height, *self.scales[panel])
                painted.frame(bottom_labels=last, grid=True)
                self._paint_panel(painted, panel, groups)
                if last:
                    _text(axes, x + width / 2, top - height - 0.3, "epoch", ha="center")
            if self.together:
                self._name_lines(painted, row[-1])
            top -= height + (AXIS_IN if self.together else 0)

    def _scales(self, panel: tuple[str, str]) -> tuple[Scale, Scale]:
        every = [curve for key, curve in self.curves.items() if key[1:] in _metrics(panel)]
        x = epoch_scale([0, *(curve["epoch"].max() for curve in every)])
        return x, Scale("", *_limits(every, panel[1] == "loss"))

    def _paint_panel(self, painted: Panel, panel: tuple[str, str], groups: Sequence[int]) -> None:
        kind, _ = panel
        trained, held_out = PANELS[panel]
        for group in groups:
            color = self._color(group)
            for metric in (trained, held_out):
                curve = self.curves.get((group, kind, metric))
                if curve is None:
                    continue
                solid = metric == held_out
                style = {"lw": 1.4} if solid else {"lw": 0.8, "ls": (0, (3, 1.5))}
                point = "o" if len(curve) == 1 else ""
                painted.line(
                    curve["epoch"], curve["mean"], color=color, marker=point, ms=3, **style
                )
                if solid:
                    low, high = curve["mean"] - curve["std"], curve["mean"] + curve["std"]
                    painted.area(curve["epoch"], low, high, color=color, alpha=0.2, lw=0)

    def _name_lines(self, painted: Panel, panel: tuple[str, str]) -> None:
        """Write the label of each group where its solid line ends."""
        ends = []
        for group, label in self.labels.items():
            curve = self.curves.get((group, panel[0], PANELS[panel][1]))
            if curve is not None:
                text = fitting(label, LABELS_IN - 0.2, 3)
                ends.append((float(curve["mean"].iloc[-1]), text, self._color(group)))
        label_ends(painted, ends)

    def _color(self, group: int) -> str:
        return GROUP_COLORS[list(self.labels).index(group) if self.together else 0]


def _reached_by_most(curve: "pd.DataFrame") -> "pd.DataFrame":
    """Where few runs are left, their mean would jump."""
    import pandas as pd

    return pd.DataFrame(curve[curve["n"] > curve["n"].max() / 2])


def _metrics(panel: tuple[str, str]) -> list[tuple[str, str]]:
    return [(panel[0], metric) for metric in PANELS[panel]]


def _limits(curves: "Sequence[pd.DataFrame]", from_zero: bool) -> tuple[float, float]:
    """The range of the means; a loss that explodes leaves the others readable."""
    import numpy as np

    means = np.concatenate([curve["mean"].to_numpy(float) for curve in curves] or [np.zeros(1)])
    high = min(means.max(), 3 * np.quantile(means, 0.95))
    low = 0.0 if from_zero else means.min()
    margin = 0.05 * (high - low) or 1.0
    return (0.0 if from_zero else low - margin), high + margin


def _text(axes: "Axes", x: float, y: float, text: str, **style: Any) -> None:
    axes.text(x, y, text, **{"size": SMALL_PT} | style)


KIND = Kind(
    "curves",
    "Losses and accuracies over the epochs of searches and retrainings: means over searches, with "
    "bands of one standard deviation.",
    data,
    paint,
)
