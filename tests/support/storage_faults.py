"""Lets the k-th storage step of a block fail, as a killed process or a bad disk would.

A step is a call that changes the disk: opening a file for writing, fsync, rename, link, unlink,
mkdir, rmdir.
"""

import contextlib
import io
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Any
from unittest.mock import patch

FAULTS = ("kill", "power", "ENOSPC", "EIO")
ERRNOS = {"ENOSPC": ENOSPC, "EIO": EIO}


class Killed(BaseException):
    """Nothing that the process does after this reaches the disk."""


@dataclass
class Disk:
    """Counts storage steps and lets one of them fail."""

    fault: str = ""
    at: int = 0
    """Number of the step that fails, from 1; 0: none."""
    steps: int = 0
    _is_dead: bool = False
    _unsynced: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    """What a loss of power undoes: the folder or file that a later fsync makes safe, and how."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """Packs are written by two threads."""

    def step(self) -> None:
        """Take note of a step, and fail if it is its turn."""
        with self._lock:
            self.steps += 1
            if self._is_dead:
                raise Killed
            if self.steps == self.at:
                if self.fault in ERRNOS:
                    raise OSError(ERRNOS[self.fault], self.fault)
                self._is_dead = True
                raise Killed

    def lose_power(self) -> None:
        """Undo what was not fsynced, the latest first."""
        for _, undo in reversed(self._unsynced):
            # A temporary file without a name is opened by the name of its folder.
            with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                undo()

    def changed(self, place: object, undo: Callable[[], None]) -> None:
        """Take note of a change that is lost unless `place` is fsynced."""
        with self._lock:
            self._unsynced.append((os.path.realpath(str(place)), undo))

    def synced(self, place: str) -> None:
        """Take note that a file or a folder has been fsynced."""
        with self._lock:
            self._unsynced = [one for one in self._unsynced if one[0] != place]


@contextlib.contextmanager
def failing(disk: Disk) -> Iterator[None]:
    """Send the storage steps of a block through `disk`; `Killed` and `OSError` end it."""
    real = {name: getattr(os, name) for name in ("fsync", "link", "mkdir", "rmdir", "unlink")}
    real_open, real_replace = io.open, os.replace

    def fsync(descriptor: int) -> None:
        disk.step()
        real["fsync"](descriptor)
        disk.synced(os.path.realpath(f"/proc/self/fd/{descriptor}"))

    def open_(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if not set(mode) & set("wxa+"):
            return real_open(file, mode, *rest, **options)
        disk.step()
        opened = real_open(file, mode, *rest, **options)
        disk.changed(file, lambda: os.truncate(file, 0))
        disk.changed(Path(file).parent, lambda: real["unlink"](file))
        return opened

    def replace(source: Any, target: Any) -> None:
        disk.step()
        old = Path(target).read_bytes() if Path(target).is_file() else None
        real_replace(source, target)

        def undo() -> None:
            real_replace(target, source)
            if old is not None:
                Path(target).write_bytes(old)

        disk.changed(Path(target).parent, undo)

    def link(source: Any, target: Any) -> None:
        disk.step()
        real["link"](source, target)
        disk.changed(Path(target).parent, lambda: real["unlink"](target))

    def unlink(path: Any, *, dir_fd: int | None = None) -> None:
        disk.step()
        whole = _whole(path, dir_fd)
        old = whole.read_bytes()
        real["unlink"](whole)
        disk.changed(whole.parent, lambda: _restore(whole, old))

    def rmdir(path: Any, *, dir_fd: int | None = None) -> None:
        disk.step()
        whole = _whole(path, dir_fd)
        real["rmdir"](whole)
        disk.changed(whole.parent, lambda: real["mkdir"](whole))

    def mkdir(path: Any, *rest: Any) -> None:
        disk.step()
        real["mkdir"](path, *rest)
        # Without its own name, nothing that was put into it can be found, fsynced or not.
        disk.changed(Path(path).parent, lambda: shutil.rmtree(path, ignore_errors=True))

    with (
        patch("os.fsync", fsync),
        patch("os.link", link),
        patch("os.unlink", unlink),
        patch("os.mkdir", mkdir),
        patch("os.rmdir", rmdir),
        patch("os.replace", replace),
        patch("os.rename", replace),
        patch("io.open", open_),
        contextlib.suppress(Killed, OSError),
    ):
        yield
    if disk.fault == "power":
        disk.lose_power()


def _whole(path: Any, folder: int | None) -> Path:
    """The path that a call means which names it below an open folder."""
    return Path(path) if folder is None else Path(f"/proc/self/fd/{folder}").readlink() / path


def _restore(path: Path, content: bytes) -> None:
    path.write_bytes(content)
