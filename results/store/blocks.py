"""Checksums of the blocks of a large file, so that a part of it can be read and still be checked.

A live file is small: it is always read and checked as a whole. A sealed file can be hundreds of
times larger than what a question needs. So it has a checksum for each 64 KiB, and whoever reads
the file compares those blocks that it touches, each of them once.
"""

import hashlib
import io
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from results.errors import DamagedFile

BLOCK = 64 * 1024
DIGITS = 16
AT_ONCE = 64
"""Blocks that are read together, if a file is checked as a whole."""


def block_sums(content: bytes | memoryview) -> list[str]:
    """The checksum of each block: the first digits of its sha256."""
    view = memoryview(content)
    parts = (view[start : start + BLOCK] for start in range(0, len(view), BLOCK))
    return [hashlib.sha256(part).hexdigest()[:DIGITS] for part in parts]


class CheckedFile(io.RawIOBase):
    """A file that is never read without being compared with its checksums.

    It can be read even if it is removed meanwhile. Each thread has a place of its own in it: while
    one of Arrow's threads seeks and reads, another may ask for the size, for which it seeks too.

    Args:
        path: Where it is.
        num_bytes: Its size when it was written.
        sums: What `block_sums` returned for its content.
    Raises:
        DamagedFile: If it has another size.
        FileNotFoundError: If it is missing.
    """

    def __init__(self, path: Path, num_bytes: int, sums: Sequence[str]) -> None:
        self.path = path
        self.damage: DamagedFile | None = None
        """What was found when it was read. (DuckDB only passes on the text of an error.)"""
        self._file = path.open("rb", buffering=0)
        self._size, self._sums = num_bytes, sums
        self._is_checked = bytearray(len(sums))
        self._of_thread = threading.local()
        size = os.fstat(self._file.fileno()).st_size
        if size != num_bytes:
            raise self._damaged(f"it has {size} bytes instead of {num_bytes}")

    def check(self) -> None:
        """Compare all of it.

        Raises:
            DamagedFile: If it is not what was written.
        """
        self.seek(0)
        while self.read(AT_ONCE * BLOCK):
            pass

    def read(self, size: int = -1) -> bytes:
        """Read and compare, see `io.RawIOBase.read`."""
        start = self._place
        self._place = end = self._size if size < 0 else min(start + size, self._size)
        first, last = start // BLOCK, -(-end // BLOCK)
        if all(self._is_checked[first:last]):
            return self._read(start, end)
        content = self._read(first * BLOCK, min(last * BLOCK, self._size))
        if block_sums(content) != list(self._sums[first:last]):
            raise self._damaged("its checksums do not match")
        self._is_checked[first:last] = b"\1" * (last - first)
        return content[start - first * BLOCK : end - first * BLOCK]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See `io.RawIOBase.seek`."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        """See `io.RawIOBase.tell`."""
        return self._place

    @property
    def _place(self) -> int:
        place: int = getattr(self._of_thread, "place", 0)
        return place

    @_place.setter
    def _place(self, place: int) -> None:
        self._of_thread.place = place

    def readable(self) -> bool:
        """See `io.RawIOBase.readable`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase.seekable`."""
        return True

    def _read(self, start: int, end: int) -> bytes:
        return os.pread(self._file.fileno(), end - start, start)

    def _damaged(self, reason: str) -> DamagedFile:
        self.damage = DamagedFile(
            f"{self.path} is damaged ({reason}): restore it from a copy, or let `fairdarts store "
            "check --repair` move it away, and run its sweeps again."
        )
        return self.damage
