"""One panel of many, without the cost of an Axes of its own.

An Axes of matplotlib with its ticks takes 20 ms to make and as long to draw, and figures here have
up to 160 panels. So all panels of a figure share one Axes that covers it and has inches as units;
each panel maps its data to its place there, and paints its own axes as lines and texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from results.figures.style import INK, QUIET, SMALL_PT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

TICK_IN = 2 / 72
PAD_IN = 2 / 72
ABOVE_IN = 3 / 72
STEPS = (1, 2, 2.5, 5, 10)
"""Ticks are these apart, or a power of ten of them."""
AREA_ORDER, FRAME_ORDER, LINE_ORDER = 1, 1.5, 2
"""What is painted over what, wherever in the code it is painted first."""


@dataclass(frozen=True)
class Scale:
    """The axis of a panel."""

    label: str
    low: float
    high: float
    whole: bool = False
    """Ticks only at whole numbers."""

    def ticks_in(self, length: float) -> list[float]:
        """Places of ticks on an axis of that length in inches."""
        from matplotlib.ticker import MaxNLocator

        most = max(2, min(10, int(length / (0.3 if self.whole else 0.35))))
        locator = MaxNLocator(most, steps=STEPS, integer=self.whole, min_n_ticks=1)
        ticks = locator.tick_values(self.low, self.high)
        margin = 1e-6 * (self.high - self.low)
        return [float(tick) for tick in ticks if self.low - margin <= tick <= self.high + margin]

    def share(self, values: "ArrayLike") -> "NDArray[Any]":
        """How far along the axis values are, from 0 to 1."""
        import numpy as np

        return (np.asarray(values, dtype=float) - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Panel:
    """A panel at a place of the Axes that covers the figure, in inches."""

    axes: "Axes"
    left: float
    bottom: float
    width: float
    height: float
    x: Scale
    y: Scale

    def place(self, xs: "ArrayLike", ys: "ArrayLike") -> "tuple[NDArray[Any], NDArray[Any]]":
        """Where data are, in inches."""
        return (
            self.left + self.width * self.x.share(xs),
            self.bottom + self.height * self.y.share(ys),
        )

    def line(self, xs: "ArrayLike", ys: "ArrayLike", **style: Any) -> None:
        """Paint a line or markers, in the style of `Line2D`. What leaves the panel is cut off."""
        from matplotlib.lines import Line2D

        line = Line2D(*self.place(xs, ys), zorder=LINE_ORDER, **style)
        self.axes.add_artist(line)
        self._cut(line, ys)

    def lines(self, runs: "Iterable[tuple[ArrayLike, ArrayLike]]", **style: Any) -> None:
        """Paint many lines of one style, at the cost of one."""
        import numpy as np
        from matplotlib.collections import LineCollection

        segments = [np.column_stack(self.place(xs, ys)) for xs, ys in runs]
        lines = LineCollection(segments, capstyle="projecting", zorder=LINE_ORDER, **style)
        self.axes.add_collection(lines, autolim=False)

    def area(self, xs: "ArrayLike", low: "ArrayLike", high: "ArrayLike", **style: Any) -> None:
        """Paint what is between two lines, in the style of `Polygon`."""
        import numpy as np
        from matplotlib.patches import Polygon

        xs, ups = np.asarray(xs, dtype=float), np.asarray(high, dtype=float)
        downs = np.broadcast_to(np.asarray(low, dtype=float), ups.shape)
        known = np.isfinite(downs) & np.isfinite(ups)
        corners = self.place(
            np.concatenate([xs[known], xs[known][::-1]]),
            np.concatenate([ups[known], downs[known][::-1]]),
        )
        if known.any():
            area = Polygon(np.column_stack(corners), zorder=AREA_ORDER, **style)
            self.axes.add_artist(area)
            self._cut(area, np.concatenate([ups[known], downs[known]]))

    def bars(self, starts: "ArrayLike", width: float, heights: "ArrayLike", **style: Any) -> None:
        """Paint bars from the bottom, each from its start on, in the style of `Polygon`."""
        import numpy as np

        for start, height in zip(np.asarray(starts), np.asarray(heights), strict=True):
            self.area([start, start + width], 0, [height, height], **style)

    def frame(
        self,
        title: str = "",
        left_labels: bool = True,
        bottom_labels: bool = True,
        grid: bool = False,
    ) -> None:
        """Paint the axes with their ticks, and the title above them."""
        x_ticks, y_ticks = self.x.ticks_in(self.width), self.y.ticks_in(self.height)
        xs, ys = self.place(x_ticks, [self.y.low] * len(x_ticks))
        self._strokes([(x, y, x, y - TICK_IN) for x, y in zip(xs, ys, strict=True)], INK, 0.8)
        if bottom_labels:
            for x, tick in zip(xs, x_ticks, strict=True):
                y = self.bottom - TICK_IN - PAD_IN
                self.text(x, y, f"{tick:g}", ha="center", va="top")
        xs, ys = self.place([self.x.low] * len(y_ticks), y_ticks)
        self._strokes([(x, y, x - TICK_IN, y) for x, y in zip(xs, ys, strict=True)], INK, 0.8)
        if left_labels:
            for y, tick in zip(ys, y_ticks, strict=True):
                x = self.left - TICK_IN - PAD_IN
                self.text(x, y, f"{tick:g}", ha="right", va="center_baseline")
        right, top = self.left + self.width, self.bottom + self.height
        if grid:
            across = [(self.left, y, right, y) for y in ys]
            self._strokes(across, QUIET, 0.4, alpha=0.3, zorder=AREA_ORDER - 0.5)
        sides = [
            (self.left, top, self.left, self.bottom),
            (self.left, self.bottom, right, self.bottom),
        ]
        self._strokes(sides, QUIET, 0.6)
        if title:
            self.text(self.left, top + ABOVE_IN, title, va="baseline")

    def text(self, x: float, y: float, text: str, **style: Any) -> None:
        """Write at a place of the figure, in inches."""
        self.axes.text(x, y, text, **{"size": SMALL_PT, "clip_on": False} | style)

    def stroke(
        self, ends: tuple[float, float, float, float], color: str, lw: float, **style: Any
    ) -> None:
        """Paint a straight line between two places of the figure, in inches."""
        self._strokes([ends], color, lw, **style)

    def _strokes(
        self,
        strokes: Sequence[tuple[float, float, float, float]],
        color: str,
        lw: float,
        **given: Any,
    ) -> None:
        """Paint straight lines as one artist: a gap is a place that is not a number."""
        from math import nan

        from matplotlib.lines import Line2D

        xs = [x for x0, _, x1, _ in strokes for x in (x0, x1, nan)]
        ys = [y for _, y0, _, y1 in strokes for y in (y0, y1, nan)]
        style: dict[str, Any] = {"zorder": FRAME_ORDER, "solid_capstyle": "butt"} | given
        self.axes.add_artist(Line2D(xs, ys, color=color, lw=lw, **style))

    def _cut(self, artist: Any, ys: "ArrayLike") -> None:
        """Keep an artist inside, if it goes above or below: cutting all would take long."""
        import numpy as np
        from matplotlib.transforms import Bbox, TransformedBbox

        shares = self.y.share(ys)
        if np.nanmin(shares, initial=0) < -0.01 or np.nanmax(shares, initial=0) > 1.01:
            inside = Bbox.from_bounds(self.left, self.bottom, self.width, self.height)
            artist.set_clip_box(TransformedBbox(inside, self.axes.transData))
        else:
            artist.set_clip_on(False)


def covering(figure: "Figure") -> "Axes":
    """The Axes for the panels of a figure."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height), autoscale_on=False)
    axes.set_axis_off()
    return axes
