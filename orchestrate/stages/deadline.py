"""Ends a process that hangs before it has taken its stage: no lease and no heartbeat shows that.

It may wait for a file server that is gone, from which it imports or where the store is. So this
imports nothing but the standard library.
"""

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

EXIT_CODE = 75
"""Of a process that ended itself because it did not get on: "temporary failure" in sysexits.h."""
LEAST_S = 600.0
"""How long nothing has stalled, unless the user says otherwise."""
IDLE_SHARE = 0.05
"""A process that computes uses more of one CPU than this."""
NUM_LOOKS = 8
LONGEST_PAUSE_S = 15.0


def start_limit_s(after: float | str | None) -> float:
    """How long a process may wait, on its way to its stage.

    Args:
        after: See `StallAfter`.
    """
    if after is None:
        return LEAST_S
    return after if isinstance(after, float) else math.inf


@contextmanager
def deadline(limit_s: float) -> Iterator[None]:
    """Inside, this process ends if it does not compute for so long: imports take their time."""
    over = threading.Event()
    threading.Thread(target=_watch, args=(limit_s, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _watch(limit_s: float, over: threading.Event) -> None:
    pause_s = min(LONGEST_PAUSE_S, limit_s / NUM_LOOKS)
    idle_s, last_cpu_s = 0.0, time.process_time()
    while not over.wait(pause_s):
        cpu_s = time.process_time()
        is_computing = cpu_s - last_cpu_s > IDLE_SHARE * pause_s
        idle_s, last_cpu_s = (0.0 if is_computing else idle_s + pause_s), cpu_s
        if idle_s >= limit_s:
            sentence = (
                f"it hung for {idle_s:.0f} s before it took its stage (resources.stall_after)"
            )
            with suppress(OSError):
                print(sentence, file=sys.stderr, flush=True)
            # Nothing less ends a process whose main thread hangs in the system.
            os._exit(EXIT_CODE)
