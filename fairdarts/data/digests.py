"""Digests of the contents of files, read once and then kept.

A digest is kept together with the paths, sizes, times and inodes of its files, and is valid while
these do not change: the next check costs one stat for each file. Files are put into groups with one
digest each, so that the kept data stay small for millions of images. Nothing here imports torch.
"""

import contextlib
import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fairdarts.data.files import reading, unreadable
from fairdarts.errors import DataError

Groups = Mapping[str, Sequence[str]]
"""Maps the name of a group to its files: paths below one directory, always in the same order."""
Progress = Callable[[int, int], None]
"""Called several times a second with the number of bytes read so far and in all; (0, 0) while that
is not known yet."""
Combine = Callable[[Sequence[str], Sequence[str]], str]
"""Computes the digest of a group from the paths and the digests of its files."""

SETTLED_S = 10.0
"""Files that changed less than this ago are read again each time: another change within the same
tick of the file system's clock (2 s on some) could leave the same size and times. That clock may
also differ from ours by seconds."""
KEEP_EVERY_S = 10.0
THREADS = 16
"""More than there are cores, because most of them wait for a disk or a network."""
CHUNK = 2**20
POLL_S = 0.2


@dataclass(frozen=True)
class _Look:
    """What stat says about the files of a group."""

    identity: str
    """A digest of the paths, sizes, times and inodes."""
    num_bytes: int
    newest_s: float
    """When the last of the files changed, by the clock of the file system."""


def look(directory: Path, groups: Groups) -> str:
    """Identify the state of all files without reading them, by 32 hexadecimal digits.

    Raises:
        DataError: If a file is not there.
    """
    with _Workers() as workers:
        looks = workers.map(lambda paths: _look(directory, paths), groups, lambda: None)
    return digest_of_lines(f"{name} {looks[name].identity}" for name in groups)[:32]


def digests(
    directory: Path,
    groups: Groups,
    combine: Combine,
    *,
    algorithm: str = "sha256",
    kept_in: Sequence[Path] = (),
    on_progress: Progress = lambda done, total: None,
    clock: Callable[[], float] = time.time,
) -> dict[str, str]:
    """The digest of each group: the kept one, or a new one from reading its files in parallel.

    Args:
        directory: Where the paths in `groups` begin.
        groups: The files.
        combine: Computes the digest of a group from those of its files.
        algorithm: How files are hashed, by the name in `hashlib`.
        kept_in: Folders that keep digests; new digests are added to each one that can be written.
        on_progress: Called from this thread while files are looked at and read.
        clock: The time in seconds, to tell how old a file is.
    Raises:
        DataError: If a file cannot be read, or changes while it is read.
    """
    kept = _Kept(directory, algorithm, kept_in)
    with _Workers() as workers:
        started_s = clock()
        looks = workers.map(
            lambda paths: _look(directory, paths), groups, lambda: on_progress(0, 0)
        )
        found = {name: kept.find(name, seen.identity) for name, seen in looks.items()}
        missing = {name: groups[name] for name in groups if not found[name]}
        total = sum(looks[name].num_bytes for name in missing)

        def digest(name: str) -> str:
            paths = missing[name]
            value = combine(paths, [workers.digest(directory / path, algorithm) for path in paths])
            if _look(directory, paths).identity != looks[name].identity:
                raise DataError(
                    f"files in {directory} change while they are read: wait until all are in place."
                )
            return value

        def keep(name: str, value: str) -> None:
            if looks[name].newest_s + SETTLED_S < started_s:
                kept.add(name, looks[name].identity, value)

        def report() -> None:
            on_progress(workers.bytes_read, total)

        try:
            found |= workers.map(digest, {name: name for name in missing}, report, keep)
        finally:  # Also when interrupted, so that these files are not read again.
            kept.write()
    return {name: found[name] for name in groups}


Task = TypeVar("Task")
Result = TypeVar("Result")


class _Workers:
    """Threads that read files; if an exception ends the block, they stop."""

    def __init__(self) -> None:
        self.bytes_read = 0
        self._pool = ThreadPoolExecutor(THREADS)
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def map(
        self,
        work: Callable[[Task], Result],
        tasks: Mapping[str, Task],
        on_poll: Callable[[], None],
        on_result: Callable[[str, Result], None] = lambda name, result: None,
    ) -> dict[str, Result]:
        """The result of each task by name; both callbacks are called in this thread."""
        names = {self._pool.submit(work, task): name for name, task in tasks.items()}
        waiting: set[Future[Result]] = set(names)
        results = {}
        while waiting:
            done, waiting = wait(waiting, POLL_S, FIRST_COMPLETED)
            for future in done:
                results[names[future]] = future.result()
                on_result(names[future], future.result())
            on_poll()
        return results

    def digest(self, path: Path, algorithm: str) -> str:
        """The digest of a file's content."""
        hasher = hashlib.new(algorithm, usedforsecurity=False)
        with reading(path), path.open("rb", buffering=0) as file:
            while data := file.read(CHUNK):
                if self._stop.is_set():
                    raise CancelledError
                hasher.update(data)
                with self._lock:
                    self.bytes_read += len(data)
        return hasher.hexdigest()


Entries = dict[str, tuple[str, str]]
"""Maps the name of a group to the identity of its files and their digest."""


class _Kept:
    """The kept digests of one directory: a small JSON file in each of several folders.

    Several processes may write at once. A file is always replaced as a whole. If one process
    overwrites an entry of another, the images of that entry are read again later.
    """

    def __init__(self, directory: Path, algorithm: str, folders: Sequence[Path]) -> None:
        with reading(directory):
            # Directories of the same path on the disks of two nodes differ in their inodes.
            inode = directory.stat().st_ino
        name = f"{digest_of_lines([str(directory), str(inode), algorithm])[:32]}.json"
        self._files = {folder / name: _read_entries(folder / name) for folder in folders}
        self._entries: Entries = {}
        self._next_write = time.monotonic() + KEEP_EVERY_S

    def find(self, name: str, identity: str) -> str:
        """The kept digest of a group; empty if there is none, or if the files have changed."""
        for entries in self._files.values():
            kept_identity, digest = entries.get(name, ("", ""))
            if kept_identity == identity:
                self._entries[name] = (identity, digest)
                return digest
        return ""

    def add(self, name: str, identity: str, digest: str) -> None:
        """Keep the digest of a group; additions are written every few seconds."""
        self._entries[name] = (identity, digest)
        if time.monotonic() > self._next_write:
            self.write()
            self._next_write = time.monotonic() + KEEP_EVERY_S

    def write(self) -> None:
        """Add the new digests to every folder; one that cannot be written stays as it is."""
        for path, entries in self._files.items():
            if entries.items() >= self._entries.items():
                continue
            with contextlib.suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                entries |= _read_entries(path) | self._entries
                _replace(path, json.dumps(entries).encode())


def _read_entries(path: Path) -> Entries:
    """The entries in a file; none if it is missing or damaged."""
    try:
        entries = json.loads(path.read_bytes())
        return {name: (str(identity), str(digest)) for name, (identity, digest) in entries.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _look(directory: Path, paths: Sequence[str]) -> _Look:
    lines, num_bytes, newest_ns = [], 0, 0
    for path in paths:
        try:
            status = os.stat(f"{directory}/{path}")  # noqa: PTH116 -- there may be a million.
        except OSError as error:
            raise unreadable(directory / path, error) from error
        # A program can set mtime back, as `touch -d` does, but not ctime.
        lines.append(
            f"{path} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
        )
        num_bytes += status.st_size
        newest_ns = max(newest_ns, status.st_mtime_ns, status.st_ctime_ns)
    return _Look(digest_of_lines(lines)[:32], num_bytes, newest_ns / 1e9)


def digest_of_lines(lines: Iterable[str]) -> str:
    """The sha256 of lines of text, 64 hexadecimal digits."""
    hasher = hashlib.sha256()
    for line in lines:
        hasher.update(f"{line}\n".encode("utf-8", "surrogateescape"))
    return hasher.hexdigest()
