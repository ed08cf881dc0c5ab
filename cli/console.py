"""What a command prints: legible on any console, harmless to it, and never lost in silence."""

import codecs
import errno
import io
import os
import sys
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

LEGIBLE = "fairdarts-legible"
"""Name of what takes the place of signs that the console's encoding lacks, see `_legible`."""
INSTEAD = {"±": "+-", "·": "-", "…": "...", "▲": "!"}
STEERING = ("Cc", "Cf")
"""Categories of signs that steer a terminal: controls, direction marks."""


class StdoutError(Exception):
    """What a command prints cannot be written."""

    def __init__(self, cause: OSError) -> None:
        why = "it is closed" if cause.errno == errno.EBADF else cause.strerror or str(cause)
        super().__init__(f"cannot write to standard output: {why}.")
        self.reader_is_gone = cause.errno == errno.EPIPE


def set_up() -> None:
    """Take over stdout and stderr, unless somebody else has, such as a test."""
    _open_closed_descriptors()
    codecs.register_error(LEGIBLE, _legible)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _stream(_Stdout(1, "w", closefd=False), sys.__stdout__)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(io.FileIO(2, "w", closefd=False), sys.__stderr__)


def discard_stdout() -> None:
    """Let nothing else that is printed fail, buffered text at the end of the process included."""
    if isinstance(sys.stdout, _CleanStream):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def rich_console(stderr: bool = False) -> "Console":
    """A console for tables and live views, which steer a terminal on purpose."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    file = stream.unchecked if isinstance(stream, _CleanStream) and stream.isatty() else None
    return Console(file=file, stderr=stderr, highlight=False)


class _Stdout(io.FileIO):
    """Standard output whose faults cannot be taken for those of another file."""

    def write(self, data: bytes) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            raise StdoutError(error) from error


class _CleanStream(io.TextIOWrapper):
    """Shows signs that would steer the terminal, such as those in the name of a file, escaped."""

    unchecked: TextIO

    def write(self, text: str) -> int:
        return super().write("".join(map(_shown, text)) if not text.isprintable() else text)


def _shown(sign: str) -> str:
    if sign in "\n\t" or unicodedata.category(sign) not in STEERING:
        return sign
    return sign.encode("unicode_escape").decode("ascii")


def _stream(raw: io.FileIO, old: TextIO | None) -> _CleanStream:
    # None: the descriptor was closed when Python started.
    encoding = old.encoding if old else "utf-8"
    errors = old.errors if old else None
    if errors in (None, "strict", "surrogateescape", "backslashreplace"):
        errors = LEGIBLE
    by_line = raw.isatty() or raw.fileno() == 2
    buffer = io.BufferedWriter(raw)
    stream = _CleanStream(buffer, encoding, errors, line_buffering=by_line)
    stream.unchecked = io.TextIOWrapper(buffer, encoding, errors, line_buffering=by_line)
    return stream


def _legible(error: UnicodeError) -> tuple[str, int]:
    """Replace signs that an encoding lacks by similar ones, or else by their escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    signs = (
        INSTEAD.get(sign) or sign.encode("ascii", "backslashreplace").decode("ascii")
        for sign in lacking
    )
    return "".join(signs), error.end


def _open_closed_descriptors() -> None:
    """Point closed standard streams at nothing, lest the next file opened become one of them.

    What reaches standard output must still fail: its end is open for reading only.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if descriptor == 1 else os.O_RDWR)
            os.set_inheritable(descriptor, True)
