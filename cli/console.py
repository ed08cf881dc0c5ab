"""Output that any console can show, that cannot steer a terminal, and whose loss is an error."""

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
"""Name of the error handler for characters that the console's encoding lacks: `_legible`."""
ASCII = "fairdarts-ascii"
"""Our name of ASCII: Click takes a console of that encoding for a mistake and writes UTF-8."""
INSTEAD = {"±": "+-", "·": "-", "…": "...", "▲": "!"}
STEERING = ("Cc", "Cf")
"""Unicode categories of characters that steer a terminal: controls and direction marks."""


class StdoutError(Exception):
    """Standard output cannot be written."""

    def __init__(self, cause: OSError) -> None:
        why = "it is closed" if cause.errno == errno.EBADF else cause.strerror or str(cause)
        super().__init__(f"cannot write to standard output: {why}.")
        self.reader_is_gone = cause.errno == errno.EPIPE


def set_up() -> None:
    """Replace stdout and stderr by clean streams, unless a test or another caller has done so."""
    _open_closed_descriptors()
    codecs.register_error(LEGIBLE, _legible)
    codecs.register(_ascii)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _stream(_Stdout(1, "w", closefd=False), sys.__stdout__)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _stream(io.FileIO(2, "w", closefd=False), sys.__stderr__)


def discard_stdout() -> None:
    """Send all further output to nowhere, so that Python's flush at exit does not fail again."""
    if isinstance(sys.stdout, _CleanStream):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def rich_console(stderr: bool = False) -> "Console":
    """Make a rich console for tables and live views.

    Rich moves the cursor, so on a terminal it must write past the stream that escapes controls.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    file = stream.unchecked if isinstance(stream, _CleanStream) and stream.isatty() else None
    return Console(file=file, stderr=stderr, highlight=False)


class _Stdout(io.FileIO):
    """Standard output with an error of its own, so that it is not taken for an error of a file."""

    def write(self, data: bytes) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            raise StdoutError(error) from error


class _CleanStream(io.TextIOWrapper):
    """Text stream that escapes characters which would steer the terminal, as in names of files."""

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
    if codecs.lookup(encoding).name == "ascii":
        encoding = ASCII
    if errors in (None, "strict", "surrogateescape", "backslashreplace"):
        errors = LEGIBLE
    by_line = raw.isatty() or raw.fileno() == 2
    buffer = io.BufferedWriter(raw)
    stream = _CleanStream(buffer, encoding, errors, line_buffering=by_line)
    stream.unchecked = io.TextIOWrapper(buffer, encoding, errors, line_buffering=by_line)
    return stream


def _ascii(name: str) -> codecs.CodecInfo | None:
    """The codec of that name, if it is `ASCII`."""
    if name.replace("_", "-") != ASCII:  # Python asks with either.
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode,
        plain.decode,
        plain.streamreader,
        plain.streamwriter,
        plain.incrementalencoder,
        plain.incrementaldecoder,
        name=name,
    )


def _legible(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks by similar ones, or by escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    signs = (
        INSTEAD.get(sign) or sign.encode("ascii", "backslashreplace").decode("ascii")
        for sign in lacking
    )
    return "".join(signs), error.end


def _open_closed_descriptors() -> None:
    """Open closed standard streams on /dev/null.

    Otherwise the next file that is opened gets the number 1, and printed text ends up in it. Stdout
    is opened for reading only: printing to a closed stdout must still fail.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if descriptor == 1 else os.O_RDWR)
            os.set_inheritable(descriptor, True)
