"""What ran at the same time: lanes, busy slots, and the periods in which anything ran."""

import heapq
from collections.abc import Iterable, Sequence

Span = tuple[float, float]
"""Begin and end, in seconds."""


def lanes(spans: Sequence[Span], processes: Sequence[object]) -> list[int]:
    """Give each span a lane in which no other span overlaps it.

    As few lanes as there are spans at once are used. A process stays in its lane where that is
    free, because it computes one stage after the other.

    Args:
        spans: Sorted by their begin.
        processes: Of each span, what computed it, such as a process id.
    Returns:
        Of each span the number of its lane, from 0.
    """
    free: list[int] = []
    running: list[tuple[float, int]] = []
    last_lane: dict[object, int] = {}
    found = []
    num_lanes = 0
    for (begin, end), process in zip(spans, processes, strict=True):
        while running and running[0][0] <= begin:
            heapq.heappush(free, heapq.heappop(running)[1])
        own = last_lane.get(process)
        if own in free:
            lane = own
            free.remove(own)
            heapq.heapify(free)
        elif free:
            lane = heapq.heappop(free)
        else:
            lane, num_lanes = num_lanes, num_lanes + 1
        last_lane[process] = lane
        heapq.heappush(running, (max(begin, end), lane))
        found.append(lane)
    return found


def busy(spans: Iterable[Span]) -> tuple[list[float], list[int]]:
    """Count the spans that run at each time.

    Returns:
        The times at which the number changes, and the number from then on; the last one is 0.
    """
    changes: dict[float, int] = {}
    for begin, end in spans:
        changes[begin] = changes.get(begin, 0) + 1
        changes[end] = changes.get(end, 0) - 1
    times = sorted(changes)
    counts, now = [], 0
    for time in times:
        now += changes[time]
        counts.append(now)
    return times, counts


def periods(spans: Iterable[Span]) -> list[Span]:
    """The periods between pauses that are longer than all periods in which anything ran together.

    Shorter pauses are part of a period: they can be seen beside the work.

    Returns:
        Periods in order.
    """
    covered: list[list[float]] = []
    for begin, end in sorted(spans):
        if covered and begin <= covered[-1][1]:
            covered[-1][1] = max(covered[-1][1], end)
        else:
            covered.append([begin, end])
    longest = sum(end - begin for begin, end in covered)
    found: list[Span] = []
    for begin, end in covered:
        if found and begin - found[-1][1] <= longest:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found
