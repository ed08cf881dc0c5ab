"""Writing the file of `-o`, by one rule for all commands."""

import os
import stat
from pathlib import Path

from cli import interrupt
from cli.console import StdoutError

STDOUT = Path("-")


def check_output(path: Path, option: str = "--output") -> None:
    """Refuse a path that cannot be written, before any work is done.

    Raises:
        ConfigError: If it is a folder, or if its folder does not exist.
    """
    from fairdarts.errors import ConfigError

    if path == STDOUT:
        return
    if path.is_dir():
        raise ConfigError(f"{option} (={str(path)!r}) is a folder: give the name of a file in it.")
    if not path.exists() and not (folder := path.resolve().parent).is_dir():
        raise ConfigError(
            f"{option} (={str(path)!r}) is in a folder that does not exist: create {folder}, or "
            "correct the name."
        )


def write_output(path: Path, content: bytes) -> None:
    """Write the output of a command.

    A regular file is replaced whole or not at all, and keeps its permissions; a link to one stays a
    link. Anything else, such as a pipe or a device, is opened and written to.

    Args:
        path: Where to write; `-` is standard output.
        content: The whole content.
    Raises:
        ConfigError: See `check_output`.
        OSError: If it cannot be written.
    """
    from results.store.files import write_whole

    check_output(path)
    with interrupt.tidying():
        if path == STDOUT or _is_descriptor(path) or (path.exists() and not path.is_file()):
            _append(path, content)
        elif path.exists():
            if not os.access(path, os.W_OK):  # A rename would replace it even so.
                raise PermissionError(13, os.strerror(13), str(path))
            write_whole(path.resolve(), content, stat.S_IMODE(path.stat().st_mode))
        else:
            write_whole(path.resolve(), content)


def _append(path: Path, content: bytes) -> None:
    if path == STDOUT:
        print(content.decode(), end="")
        return
    try:
        # Appends: /dev/stdout may stand for a file (`> FILE`) that already has content.
        with path.open("ab") as file:
            file.write(content)
    except BrokenPipeError as error:  # Treated like a closed stdout: no message.
        raise StdoutError(error) from error
    except OSError as error:  # An error of `write` does not name the file.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _is_descriptor(path: Path) -> bool:
    """Whether a path stands for an open file, as /dev/stdout does, whatever that file is."""
    while path.is_symlink():
        if path.parent.resolve().match("/proc/*/fd"):
            return True
        path = path.parent / path.readlink()
    return False
