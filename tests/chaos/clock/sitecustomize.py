"""Sets the clock of a process that has this folder on its PYTHONPATH, by CLOCK_SHIFT_S seconds."""

import datetime
import os
import time
from typing import Any

SHIFT_S = float(os.environ.get("CLOCK_SHIFT_S", "0"))
_time, _time_ns, _datetime = time.time, time.time_ns, datetime.datetime


class _Shifted(_datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return _datetime.now(tz) + datetime.timedelta(seconds=SHIFT_S)


time.time = lambda: _time() + SHIFT_S
time.time_ns = lambda: _time_ns() + int(SHIFT_S * 1e9)
datetime.datetime = _Shifted  # type: ignore[misc]
