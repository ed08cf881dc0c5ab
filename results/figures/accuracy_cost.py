"""The figure `accuracy-cost`: what accuracy costs in multiply-adds or parameters."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.errors import QueryError
from results.figures.accuracies import BLOCK, block_title, retrained
from results.figures.kind import Kind, Options
from results.figures.scatter import Block, Cloud, label_points, scatter
from results.figures.style import INK, QUIET

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from results.query.tables import Tables

COSTS = {"multadds": "MultAdds, millions", "params": "parameters without auxiliary head, millions"}
"""What `--x` may be, and the text below the axis."""
ABOUT_AS_LARGE = 3.0
"""Printed networks are shown if their cost is at most this many times beyond the measured ones."""


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """A row for each search, with the mean over its retrainings, and after them the printed points.

    `on_front` says of a search that no other one of its data set and recipe is better without being
    more expensive. Printed points have a `source`
    and, where that is known, the `convention` by which their cost was counted.
    """
    import pandas as pd

    cost = _cost(options)
    trials = retrained(tables)
    ok = trials[(trials["outcome"] == "ok") & trials[["test_top1_pct", cost]].notna().all(axis=1)]
    if ok.empty:
        raise QueryError("no network has both accuracy and cost, so there is nothing to draw.")
    searches = ok.groupby(["group_number", "search"], sort=False).agg(
        **{name: (name, "first") for name in ("group_label", *BLOCK, "space")},
        num_retrainings=("test_top1_pct", "size"),
        test_top1_pct=("test_top1_pct", "mean"),
        params_m=("params", "mean"),
        multadds_m=("multadds", "mean"),
    )
    searches = searches.reset_index().sort_values("group_number", kind="stable")
    searches[["params_m", "multadds_m"]] *= 1e-6
    searches = searches.assign(source=None, convention=None)
    blocks = []
    for _, block in searches.groupby(BLOCK, sort=False):
        block["on_front"] = on_front(block[f"{cost}_m"].tolist(), block["test_top1_pct"].tolist())
        blocks += [block, _printed(block, f"{cost}_m")]
    return pd.concat([block for block in blocks if len(block)], ignore_index=True)


def _cost(options: Options) -> str:
    cost = options.x or "multadds"
    if cost not in COSTS:
        raise QueryError(f"--x (={cost!r}) must be one of {', '.join(COSTS)}.")
    return cost


def on_front(costs: Sequence[float], accuracies: Sequence[float]) -> list[bool]:
    """For each point whether no other one is as good in both and better in one."""
    ordered = sorted(range(len(costs)), key=lambda place: (costs[place], -accuracies[place]))
    found = [False] * len(costs)
    best: tuple[float, float] | None = None
    for place in ordered:
        cost, accuracy = costs[place], accuracies[place]
        if best is None or accuracy > best[1]:
            best = cost, accuracy
        found[place] = best == (cost, accuracy)
    return found


def _printed(block: "pd.DataFrame", cost: str) -> "pd.DataFrame":
    """The paper's numbers for the same data set and spaces, of networks that are about as large."""
    import pandas as pd

    from results.query.outcomes import to_pandas
    from results.query.reference import reference

    first = block.iloc[0]
    printed = to_pandas(reference()).rename(columns={"label": "group_label"})
    printed = printed[
        (printed["dataset"] == first["dataset"])
        & printed["space"].isin(block["space"])
        & printed["test_top1_pct"].notna()
        & (printed[cost] <= ABOUT_AS_LARGE * block[cost].max())
        & (printed[cost] >= block[cost].min() / ABOUT_AS_LARGE)
    ]
    columns = ["group_label", "space", "test_top1_pct", "params_m", "multadds_m"]
    printed = printed[[*columns, "source", "convention"]]
    return pd.DataFrame(printed.assign(**{name: first[name] for name in BLOCK}, on_front=False))


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """Points coloured by group; the front as a line, what the paper prints as hollow marks."""
    cost = _cost(options)
    blocks = []
    for where, block in rows.groupby(BLOCK, sort=False):
        own = block[block["group_number"].notna()]
        clouds = [
            Cloud(
                group["group_label"].iloc[0],
                f"n = {len(group)}",
                group[f"{cost}_m"].tolist(),
                group["test_top1_pct"].tolist(),
            )
            for _, group in own.groupby("group_number", sort=False)
        ]
        blocks.append(Block(block_title(where), clouds, _Beside(block, f"{cost}_m")))
    return scatter(blocks, COSTS[cost], "test accuracy at the last epoch, %")


class _Beside:
    """Paints the front and the printed points of a block."""

    def __init__(self, block: "pd.DataFrame", cost: str) -> None:
        own = block["group_number"].notna()
        columns = [cost, "test_top1_pct"]
        self.front = block[own & block["on_front"]].drop_duplicates(columns).sort_values(cost)
        self.printed = block[~own]
        self.own = list(zip(block[own][cost], block[own]["test_top1_pct"], strict=True))
        self.cost = cost

    def __call__(self, axes: "Axes", small: bool) -> None:
        printed = list(zip(self.printed[self.cost], self.printed["test_top1_pct"], strict=True))
        for x, y in printed:
            axes.plot([x], [y], "o", mfc="none", mec=INK, mew=0.8, ms=2.5 if small else 5)
        left, right = axes.get_xlim()
        axes.set_xlim(left, right)
        xs = [*self.front[self.cost], right]
        ys = [*self.front["test_top1_pct"], self.front["test_top1_pct"].iloc[-1]]
        axes.step(xs, ys, where="post", color=QUIET, lw=0.8 if small else 1, zorder=1)
        if small:
            return
        labels = [str(label) for label in self.printed["group_label"]]
        points = [(x, y, label) for (x, y), label in zip(printed, labels, strict=True)]
        label_points(axes, points, self.own)
        axes.plot([], [], "-", color=QUIET, lw=1, label="Pareto front of the searches")
        if printed:
            axes.plot([], [], "o", mfc="none", mec=INK, mew=0.8, ms=5, label="printed in the paper")


KIND = Kind(
    "accuracy-cost",
    "Test accuracy against cost: a point for each search (the mean of its retrainings), the Pareto "
    "front, and hollow marks for what the paper prints.",
    data,
    paint,
    options=("x",),
)
