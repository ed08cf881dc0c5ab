"""The figure `timeline`: which attempts ran where and when, and how they ended."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from results.errors import QueryError
from results.figures.clock import Clock
from results.figures.kind import Kind, Options
from results.figures.occupancy import busy, lanes, periods
from results.figures.style import INK, PAGE_IN, SMALL_PT, new_figure
from results.statuses import AttemptStatus
from results.text import clean_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from results.query.tables import Tables

ATTEMPTS = """
    SELECT host, kind, stage_key, attempt, label, status, failure_kind, resumed_from_epoch,
        num_gpus, pid, started_at, ended_at
    FROM attempts LEFT JOIN (
        SELECT key, min(label) AS label
        FROM (
            SELECT search_key AS key, label FROM trials
            UNION ALL SELECT retrain_key, label FROM trials
        ) GROUP BY key
    ) ON key = stage_key
    WHERE kind IN ('search', 'retrain') AND started_at IS NOT NULL
    ORDER BY host, started_at, stage_key, attempt
"""
"""Derivations and samples take no slot: the driver computes them, in milliseconds."""
LAST_EPOCH = "SELECT max(written_at) AS last FROM epochs"
KINDS = {"search": "#1d4f91", "retrain": "#8fbfe0"}
"""Colour of each kind of stage; they differ in lightness, too."""
TRACK = "#efefef"
"""A slot in which nothing runs."""
MAX_LANE_IN = 0.2
MAX_LANES_IN = 7.0
MANY_BARS = 3000
"""More bars than this are an image in SVG and PDF, too; otherwise such files are slow to show."""
HOST_GAP = 0.5
"""Between hosts, in lanes."""
MAX_HOST_BYTES = 24
LEGEND_SIGNS = 7
"""Width of a mark in the legend, in characters."""
MAX_LEGEND_SIGNS = 110
"""A line of the legend has about this many characters."""


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Every attempt at a search or retraining, with the slot of its host that it ran in.

    The column `until` is where its bar ends: if it still runs, at the last sign of life of any.
    """
    import pandas as pd

    from results.query.outcomes import to_pandas
    from results.query.sql import query

    rows = to_pandas(query(tables, ATTEMPTS))
    if rows.empty:
        raise QueryError("no search or retraining has started yet, so there is nothing to draw.")
    last = rows[["started_at", "ended_at"]].max().max()
    if rows["ended_at"].isna().any():
        last_epoch = to_pandas(query(tables, LAST_EPOCH))["last"].iloc[0]
        last = last if pd.isna(last_epoch) else max(last, last_epoch)
    until = rows["ended_at"].fillna(last)
    rows["until"] = until.where(
        until > rows["started_at"], rows["started_at"]
    )  # A clock went back.
    rows["host"] = rows["host"].fillna("unknown host")
    spans = _spans(rows)
    slots = [0] * len(rows)
    for places in rows.groupby("host", sort=False).indices.values():
        of_host = lanes([spans[place] for place in places], rows["pid"].iloc[places].tolist())
        for place, lane in zip(places, of_host, strict=True):
            slots[place] = lane + 1
    rows["slot"] = slots
    return rows


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """A lane for each slot, a bar for each attempt; above, the number of busy slots."""
    from matplotlib.gridspec import GridSpec

    spans = _spans(rows)
    clock = Clock(periods(spans))
    hosts = rows.groupby("host", sort=False)["slot"].max()
    tops, top = {}, 0.0
    for host, num_slots in hosts.items():
        tops[host] = top
        top += num_slots + HOST_GAP
    num_lanes = top - HOST_GAP
    lane_in = min(MAX_LANE_IN, MAX_LANES_IN / num_lanes)
    strip_in, rest_in = 0.5, 0.75
    figure = new_figure(PAGE_IN, strip_in + num_lanes * lane_in + rest_in)
    grid = GridSpec(2, 1, figure, height_ratios=(strip_in, num_lanes * lane_in), hspace=0.02)
    strip = figure.add_subplot(grid[0])
    axes = figure.add_subplot(grid[1], sharex=strip)
    _paint_busy(strip, clock, spans, int(hosts.sum()))
    ys = [tops[host] + slot - 1 for host, slot in zip(rows["host"], rows["slot"], strict=True)]
    _paint_lanes(axes, clock, tops, hosts)
    _paint_bars(axes, clock, rows, spans, ys, lane_in)
    marks = _paint_marks(axes, clock, rows, spans, ys, lane_in)
    axes.set_ylim(num_lanes, 0)
    _name_hosts(axes, tops, hosts, lane_in)
    clock.mark(axes, strip)
    strip.tick_params(labelbottom=False, length=0, axis="x")
    handles = [*_patches(rows), *marks]
    width = sum(len(str(handle.get_label())) + LEGEND_SIGNS for handle in handles)
    ncols = -(-len(handles) // -(-width // MAX_LEGEND_SIGNS))
    figure.legend(handles=handles, loc="outside upper left", ncols=ncols)
    return figure


def _spans(rows: "pd.DataFrame") -> list[tuple[float, float]]:
    begins, ends = (
        [time.timestamp() for time in rows[name].tolist()] for name in ("started_at", "until")
    )
    return list(zip(begins, ends, strict=True))


def _paint_busy(
    axes: "Axes", clock: Clock, spans: Sequence[tuple[float, float]], num_slots: int
) -> None:
    times, counts = busy(spans)
    many = len(times) > MANY_BARS
    axes.fill_between(
        clock.places(times), counts, step="post", color="#b5b5b5", lw=0, rasterized=many
    )
    axes.set_ylim(0, num_slots)
    axes.set_yticks([0, num_slots])
    axes.set_ylabel("slots\nbusy", rotation=0, ha="right", va="center", size=SMALL_PT)


def _paint_lanes(
    axes: "Axes", clock: Clock, tops: dict[object, float], hosts: "pd.Series[int]"
) -> None:
    """Each slot as a pale track, so that it can be seen when nothing ran in it."""
    boxes = [
        _box(begin, end, tops[host] + slot)
        for host, num_slots in hosts.items()
        for slot in range(num_slots)
        for begin, end in clock.spans
    ]
    _add_boxes(axes, boxes, color=TRACK, lw=0)


def _paint_bars(
    axes: "Axes",
    clock: Clock,
    rows: "pd.DataFrame",
    spans: Sequence[tuple[float, float]],
    ys: Sequence[float],
    lane_in: float,
) -> None:
    begins, ends = (clock.places([span[end] for span in spans]) for end in (0, 1))
    # White between bars tells them apart, but must not hide many short ones.
    mean_pt = (sum(ends) - sum(begins)) / len(spans) / clock.width * PAGE_IN * 72
    edge = min(0.5, mean_pt * 0.1, lane_in * 72 * 0.05)
    for kind, color in KINDS.items():
        boxes = [
            _box(begin, end, y)
            for begin, end, y, one in zip(begins, ends, ys, rows["kind"], strict=True)
            if one == kind
        ]
        many = len(boxes) > MANY_BARS
        _add_boxes(axes, boxes, facecolor=color, edgecolor="white", lw=edge, rasterized=many)


def _box(begin: float, end: float, y: float) -> list[tuple[float, float]]:
    low, high = y + 0.08, y + 0.92
    return [(begin, low), (end, low), (end, high), (begin, high)]


def _add_boxes(axes: "Axes", boxes: list[list[tuple[float, float]]], **style: object) -> None:
    from matplotlib.collections import PolyCollection

    axes.add_collection(PolyCollection(boxes, **style))  # type: ignore[arg-type]


MARKS = {"restarted": "|", "failed": "X", "lost": "o", "running": ">"}
"""Shape of what is marked: beside the colour of a bar, which says the kind of its stage."""


def _paint_marks(
    axes: "Axes",
    clock: Clock,
    rows: "pd.DataFrame",
    spans: Sequence[tuple[float, float]],
    ys: Sequence[float],
    lane_in: float,
) -> "list[Line2D]":
    """Mark begins and ends that were not those of a stage that just ran through."""
    from matplotlib.lines import Line2D
    from matplotlib.transforms import ScaledTranslation

    size = min(6.0, max(2.0, lane_in * 72 * 0.55))
    shown = []
    of_status = {
        "failed": rows["status"] == AttemptStatus.FAILED,
        "lost": rows["status"] == AttemptStatus.LOST,
        "running": rows["status"] == AttemptStatus.RUNNING,
        "restarted": rows["attempt"] > 1,
    }
    for name, chosen in of_status.items():
        places = [place for place, one in enumerate(chosen) if one]
        if not places:
            continue
        side = 0 if name == "restarted" else 1
        style = {
            "marker": MARKS[name],
            "ls": "",
            "ms": size * 1.3 if name == "restarted" else size,
            "mec": INK if name in ("lost", "restarted") else "white",
            "mfc": "white" if name == "lost" else INK,
            "mew": 1.2 if name == "restarted" else 0.5,
        }
        # Inside its own bar, not between two.
        inwards = (0.6 if side == 0 else -size / 2) / 72
        axes.plot(
            clock.places([spans[place][side] for place in places]),
            [ys[place] + 0.5 for place in places],
            transform=axes.transData + ScaledTranslation(inwards, 0, axes.figure.dpi_scale_trans),
            zorder=3,
            **style,  # type: ignore[arg-type]
        )
        label = f"{name} ({len(places)})"
        if name == "failed":
            kinds = Counter(rows["failure_kind"].fillna("unknown").iloc[places])
            label = "failed: " + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
        shown.append(Line2D([], [], label=clean_text(label), **(style | {"ms": 5})))  # type: ignore[arg-type]
    return shown


def _patches(rows: "pd.DataFrame") -> "list[Patch]":
    from matplotlib.patches import Patch

    counts = Counter(rows["kind"])
    return [
        Patch(color=color, label=f"{kind} ({counts[kind]})")
        for kind, color in KINDS.items()
        if counts[kind]
    ]


def _name_hosts(
    axes: "Axes", tops: dict[object, float], hosts: "pd.Series[int]", lane_in: float
) -> None:
    """Name each host beside its lanes, as far as there is room."""
    ticks, names, free = [], [], -math.inf
    for host, num_slots in hosts.items():
        centre = tops[host] + num_slots / 2
        if (centre - free) * lane_in < 0.11:
            continue
        free = centre
        ticks.append(centre)
        names.append(clean_text(str(host), MAX_HOST_BYTES))
    axes.set_yticks(ticks, names)
    axes.tick_params(axis="y", length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


KIND = Kind(
    "timeline",
    "Searches and retrainings over time, in the slots of every host: restarts, failures, gaps, and "
    "how many slots were busy.",
    data,
    paint,
)
