"""Ctrl-C and SIGTERM: every command ends, with one line and exit code 130.

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
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)  # Batch systems send the second before they kill.
GRACE_S = 15.0
"""Tidying may take this long after a signal; Ray's processes need a few seconds."""


def install() -> None:
    """End this process at once on Ctrl-C and SIGTERM."""
    for number in _heeded():
        signal.signal(number, _end_at_once)


@contextmanager
def tidying(message: str = "Interrupted.") -> Iterator[None]:
    """Inside, a first signal raises KeyboardInterrupt; a second one ends the process at once.

    So does a tidying that takes too long, or an exception that got lost on its way.

    Args:
        message: What to say in the end.
    Raises:
        SystemExit: With code 130, if a signal came.
    """
    signalled, tidy = threading.Event(), threading.Event()

    def raise_once(number: int, frame: FrameType | None) -> None:
        if signalled.is_set():
            _end_at_once(number, frame)
        signalled.set()
        raise KeyboardInterrupt

    def watch() -> None:
        signalled.wait()
        if not tidy.wait(GRACE_S):
            _end_at_once(signal.SIGINT, None)

    # Before any signal: a handler may not start threads.
    threading.Thread(target=watch, daemon=True).start()
    before = {number: signal.signal(number, raise_once) for number in _heeded()}
    came = False
    try:
        try:
            yield
        finally:
            came = signalled.is_set()
            tidy.set()
            signalled.set()
            for number, handler in before.items():
                signal.signal(number, handler)
    except KeyboardInterrupt:
        came = True  # Also where somebody else's handler raised it.
    except BaseException:
        if not came:  # Otherwise it is what somebody made of the interrupt.
            raise
    if came:
        print(message, file=sys.stderr)
        sys.exit(EXIT_CODE)


def _heeded() -> list[signal.Signals]:
    """The signals that are not ignored, as in a job that a script starts with `&`."""
    return [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]


def _end_at_once(number: int, frame: FrameType | None) -> None:
    # Not `print`: the signal may have come in the middle of one.
    os.write(2, b"Interrupted.\n")
    os._exit(EXIT_CODE)
