"""A time axis on which long pauses are cut out."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from results.figures.style import INK, QUIET, SMALL_PT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from results.figures.occupancy import Span

PAUSE = 0.05
"""Width of a pause that is cut out, as a part of all periods together."""
STEPS_S = [
    *(1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12)),
    *(86400 * days for days in (1, 2, 7, 14, 28, 91, 182, 364)),
]
MAX_TICKS = 8


class Clock:
    """Places on an axis for times in seconds since 1970.

    Args:
        periods: What the axis shows, in order; a pause between two of them is cut out.
    """

    def __init__(self, periods: "Sequence[Span]") -> None:
        self.periods = periods
        lengths = [end - begin for begin, end in periods]
        total = sum(lengths) or 1.0
        self.spans: list[tuple[float, float]] = []
        """Where each period is on the axis."""
        place = 0.0
        for length in lengths:
            self.spans.append((place, place + length))
            place += length + PAUSE * total
        self.width = max(self.spans[-1][1], 1.0)

    def places(self, times: Iterable[float]) -> list[float]:
        """Where times are that lie in the periods."""
        begins = [begin for begin, _ in self.periods]
        found = []
        for time in times:
            number = max(0, bisect_right(begins, time) - 1)
            found.append(self.spans[number][0] + time - begins[number])
        return found

    def mark(self, axes: "Axes", above: "Axes") -> None:
        """Name the times below `axes`, and the pauses in the axes above."""
        step = next((step for step in STEPS_S if self.width / step <= MAX_TICKS), STEPS_S[-1])
        ticks, names, day = [], [], ""
        for (begin, end), (place, _) in zip(self.periods, self.spans, strict=True):
            first = -(-begin // step) * step
            times = [first + step * number for number in range(int((end - first) // step) + 1)]
            # A period without a round time is named by its begin.
            for time in times or [begin]:
                moment = datetime.fromtimestamp(time, UTC)
                text = moment.strftime("%H:%M:%S" if step < 60 else "%H:%M")
                today = f"{moment.day} {moment:%b %Y}"
                names.append(text if today == day else f"{text}\n{today}")
                day = today
                ticks.append(place + time - begin)
        axes.set_xlim(0, self.width)
        axes.set_xticks(ticks, names)
        axes.tick_params(axis="x", length=2, color=QUIET)
        axes.set_xlabel("time (UTC)")
        for before, after, left, right in zip(
            self.periods, self.periods[1:], self.spans, self.spans[1:], strict=False
        ):
            above.text(
                (left[1] + right[0]) / 2,
                0.5,
                f"{_duration(after[0] - before[1])} idle",
                rotation=90,
                ha="center",
                va="center",
                size=SMALL_PT - 1,
                color=INK,
                transform=above.get_xaxis_transform(),
            )


def _duration(seconds: float) -> str:
    for name, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {name}"
    return f"{seconds:.0f} s"
