"""Ctrl-C, SIGTERM and SIGHUP: every command ends, with one line and exit code 128 + the signal.

Python raises KeyboardInterrupt wherever its main thread happens to be, and there it may get lost:
in an attribute that C++ code asks for, in a finaliser, in somebody's `except:`. So the handler of
the signal itself ends a command. Only code that has something to put in order asks for the
exception, see `tidying`. A store is written so that it survives a `kill -9`.

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

    So does a tidying that takes too long, or an exception that got lost on its way.

    Args:
        message: What to say in the end.
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

    # Before any signal: a handler may not start threads.
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
    except KeyboardInterrupt:  # Also where somebody else's handler raised it.
        came.append(signal.SIGINT)
    except BaseException:
        if not came:  # Otherwise it is what somebody made of the interrupt.
            raise
    if came:
        with suppress(OSError):  # The terminal may be gone.
            print(message, file=sys.stderr, flush=True)
        sys.exit(FAILED_BY_SIGNAL + came[0])


def _heeded() -> list[signal.Signals]:
    """Those that are not ignored, as under `nohup` or in a job that a script starts with `&`."""
    known = (getattr(signal, name, None) for name in SIGNALS)
    return [number for number in known if number and signal.getsignal(number) != signal.SIG_IGN]


def _end_at_once(number: int, frame: FrameType | None, message: str = MESSAGE) -> None:
    # Not `print`: the signal may have come in the middle of one.
    with suppress(OSError):
        os.write(2, f"{message}\n".encode(errors="replace"))
    os._exit(FAILED_BY_SIGNAL + number)
