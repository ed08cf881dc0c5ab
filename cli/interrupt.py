"""Ctrl-C, SIGTERM and SIGHUP: every command ends, with one line and exit code 128 + the signal.

Python raises KeyboardInterrupt wherever its main thread happens to be, and there it may get lost:
in an attribute that C++ code reads, in a finaliser, in a library's `except:`. So the signal handler
itself ends the command. Only code that must clean up asks for the exception, see `tidying`. Ending
at once is safe, because a store survives even `kill -9`.

Imported before everything else: it must import nothing that takes time.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C; what batch systems send before they kill; a closed terminal (Windows has none)."""
FAILED_BY_SIGNAL = 128
"""A shell adds the number of the signal to this."""
MESSAGE = "Interrupted."
GRACE_S = 15.0
"""Tidying may take this long after a signal; Ray's processes need a few seconds."""


def install() -> None:
    """End this process at once on each of the signals."""
    for number in _heeded():
        signal.signal(number, _end_at_once)


@contextmanager
def tidying(message: str = MESSAGE) -> Iterator[None]:
    """Inside, a first signal raises KeyboardInterrupt; a second one ends the process at once.

    The process also ends if cleaning up takes longer than `GRACE_S`, or if the exception gets lost.

    Args:
        message: Printed at the end.
    Raises:
        SystemExit: With the exit code of the first signal, if one came.
    """
    signalled, tidy = threading.Event(), threading.Event()
    came: list[int] = []

    def raise_once(number: int, frame: FrameType | None) -> None:
        if came:
            _end_at_once(came[0], frame, message)
        came.append(number)
        signalled.set()
        raise KeyboardInterrupt

    def watch() -> None:
        signalled.wait()
        if not tidy.wait(GRACE_S):
            _end_at_once(came[0], None, message)

    # Started before any signal, because a handler must not start threads.
    threading.Thread(target=watch, daemon=True).start()
    before = {number: signal.signal(number, raise_once) for number in _heeded()}
    try:
        try:
            yield
        finally:
            tidy.set()
            signalled.set()
            for number, handler in before.items():
                signal.signal(number, handler)
    except KeyboardInterrupt:  # Ours, or of another handler, such as Ray's.
        came.append(signal.SIGINT)
    except BaseException:
        if not came:  # After a signal, it is what a library made of the KeyboardInterrupt.
            raise
    if came:
        with suppress(OSError):  # The terminal may be gone.
            print(message, file=sys.stderr, flush=True)
        sys.exit(FAILED_BY_SIGNAL + came[0])


def _heeded() -> list[signal.Signals]:
    """Signals to handle: not those ignored on purpose, as under `nohup` or by `&` in a script."""
    known = (getattr(signal, name, None) for name in SIGNALS)
    return [number for number in known if number and signal.getsignal(number) != signal.SIG_IGN]


def _end_at_once(number: int, frame: FrameType | None, message: str = MESSAGE) -> None:
    # Not `print`: the signal may have come in the middle of another `print`.
    with suppress(OSError):
        os.write(2, f"{message}\n".encode(errors="replace"))
    os._exit(FAILED_BY_SIGNAL + number)
