"""Shows other processes that this one lives; see `results.store.holder` for how they look."""

import contextlib
import os
import threading
import time
from pathlib import Path

from results.store.holder import HEARTBEAT_S

LOOK_S = 1.0
"""How often a heart looks at the clock."""


class Heart:
    """A thread that touches a heartbeat, so that processes on other hosts see that this one lives.

    Args:
        heartbeat: The file to touch.
        period_s: How often.
    """

    def __init__(self, heartbeat: Path, period_s: float = HEARTBEAT_S) -> None:
        self._heartbeat = heartbeat
        self._period_s = period_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        last = time.time()
        while not self._stop.wait(min(self._period_s, LOOK_S)):
            # By the clock that others see: when a machine wakes up, or its clock is set, they find
            # an old heartbeat.
            if abs(time.time() - last) >= self._period_s:
                # A missed beat does no harm: others wait for the length of eight.
                with contextlib.suppress(OSError):
                    os.utime(self._heartbeat)
                last = time.time()
