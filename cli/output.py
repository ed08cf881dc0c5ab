"""Where a command writes that was given `-o`: one rule for all of them."""

import os
import stat
from pathlib import Path

from cli import interrupt
from cli.console import StdoutError

STDOUT = Path("-")


def check_output(path: Path, option: str = "--output") -> None:
    """Refuse a place that cannot be written, before any work is done for it.

    Raises:
        ConfigError: If it is a folder, or in one that does not exist.
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
    """Write what a command made.

    A regular file is written whole or left as it was, also through links, and keeps its
    permissions. Anything else, such as a pipe or a device, is written to as it is.

    Args:
        path: Where to; `-` is standard output.
        content: All of it.
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
            if not os.access(path, os.W_OK):  # Replacing it would get around that.
                raise PermissionError(13, os.strerror(13), str(path))
            write_whole(path.resolve(), content, stat.S_IMODE(path.stat().st_mode))
        else:
            write_whole(path.resolve(), content)


def _append(path: Path, content: bytes) -> None:
    if path == STDOUT:
        print(content.decode(), end="")
        return
    try:
        # Appending is what a descriptor does that stands for a file.
        with path.open("ab") as file:
            file.write(content)
    except BrokenPipeError as error:  # As with standard output, this needs no words.
        raise StdoutError(error) from error
    except OSError as error:  # It names no file if it was open already.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _is_descriptor(path: Path) -> bool:
    """Whether a name stands for an open file, as /dev/stdout does; its target is not the point."""
    while path.is_symlink():
        if path.parent.resolve().match("/proc/*/fd"):
            return True
        path = path.parent / path.readlink()
    return False
