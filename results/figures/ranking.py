"""The figure `ranking`: does a search's own accuracy tell how good its network will be?"""

from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.accuracies import BLOCK, block_title
from results.figures.kind import Kind, Options
from results.figures.scatter import Block, Cloud, scatter
from results.query.correlation import Tau, searches, tau_of
from results.query.stats import CONFIDENCE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from results.query.tables import Tables

ACCURACIES = ("search_top1_pct", "test_top1_pct")


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """A row for each search, with Kendall's tau of its method and of all methods together.

    These are the numbers that `fairdarts results corr` prints.
    """
    import pandas as pd

    found = searches(tables).drop(columns="trainings")
    if found.empty:
        raise QueryError(
            "no finished trial has both a search's accuracy and that of its network, so there is "
            "nothing to draw."
        )
    order = {trial["group_id"]: number for number, trial in enumerate(tables.planned[::-1])}
    found = found.sort_values("group_id", key=lambda ids: -ids.map(order), kind="stable")
    parts = []
    for _, block in found.groupby(BLOCK, sort=False):
        of_all = _columns("all_", tau_of(block))
        for _, of_label in block.groupby("label", sort=False):
            parts.append(of_label.assign(**_columns("", tau_of(of_label)), **of_all))
    return pd.concat(parts, ignore_index=True)


def _columns(prefix: str, tau: Tau) -> dict[str, Any]:
    return {
        f"{prefix}{'n' if name == 'n' else name if name == 'tau' else f'tau_{name}'}": value
        for name, value in tau._asdict().items()
    }


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """Points coloured by method; each tau is written beside its method."""
    blocks = []
    for where, block in rows.groupby(BLOCK, sort=False):
        groups = [group for _, group in block.groupby("label", sort=False)]
        clouds = [
            Cloud(group["label"].iloc[0], _words(group.iloc[0]), *_points(group))
            for group in groups
        ]
        of_all = [f"all: {_words(block.iloc[0], 'all_')}"] if len(groups) > 1 else []
        title = block_title([*of_all, *where])
        blocks.append(Block(title, clouds, _nothing))
    return scatter(
        blocks,
        "accuracy of the search on the half that trains alphas, last epoch, %",
        "test accuracy of the network, %",
    )


def _points(group: "pd.DataFrame") -> tuple[list[float], list[float]]:
    xs, ys = (group[name].tolist() for name in ACCURACIES)
    return xs, ys


def _words(row: "pd.Series[Any]", prefix: str = "") -> str:
    """Tau with its interval and n, as far as they are defined."""
    import pandas as pd

    tau, low, high = (row[f"{prefix}{name}"] for name in ("tau", "tau_low", "tau_high"))
    n = f"n = {row[f'{prefix}n']}"
    if pd.isna(tau):
        return n
    interval = "" if pd.isna(low) else f" [{low:+.2f}, {high:+.2f}]"
    return f"τ = {tau:+.2f}{interval}, {n}"


def _nothing(axes: "Axes", small: bool) -> None:
    """Nothing belongs to all clouds."""


KIND = Kind(
    "ranking",
    "Accuracy of each search against that of its network (the mean of its retrainings), with "
    f"Kendall's tau and, from 8 searches on, its {CONFIDENCE:.0%} interval.",
    data,
    paint,
)
