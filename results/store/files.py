"""Files that are written whole or not at all, in any POSIX folder with an atomic rename."""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from results.errors import DamagedFile, StoreError

T = TypeVar("T")
CHECKSUM = "checksum"
"""Key of a JSON document, added to it when it is written."""


def write_whole(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write `content` to `path`: readers see the old file or the new one, never a part.

    A missing folder is created. The temporary name starts with a dot and does not
    end in `.parquet`, so that no reader of the folder takes it for a table.

    Args:
        path: Where to write.
        content: The whole content.
        mode: Permissions of the new file; None: the usual ones.
    Raises:
        OSError: If it cannot be written, for example on a full disk; names `path`. The old file is
            then still there, and no temporary file is left.
    """
    temporary = path.parent / f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        _make_folder(path.parent)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        try:
            temporary.replace(path)
        except FileNotFoundError:
            # Who takes a stage deletes what seems left over there, even this: write it once more.
            return write_whole(path, content, mode)
        _sync_folder(path.parent)  # A rename survives a loss of power only after this.
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):  # It names the temporary file, or none if the disk is full.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON to `path`, whole or not at all; a dict with its checksum."""
    write_whole(path, _json(value))


def claim_json(path: Path, value: Any) -> bool:
    """Write `value` as JSON to `path` unless `path` exists, see `claim_whole`."""
    return claim_whole(path, _json(value))


def claim_whole(path: Path, content: bytes) -> bool:
    """Write `content` to `path` unless `path` exists: of many processes, one succeeds.

    Returns:
        True if this process wrote it.
    """
    _make_folder(path.parent)
    claim = path.parent / f".claim-{secrets.token_hex(8)}.tmp"
    try:
        write_whole(claim, content)
        # A hard link fails if its target exists; a rename would replace it.
        os.link(claim, path)
    except FileExistsError:
        return False
    except FileNotFoundError:  # The claim was taken for left over, see `write_whole`.
        return claim_whole(path, content)
    finally:
        claim.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def read_json(path: Path) -> Any:
    """Read the JSON file at `path`, without its checksum.

    Raises:
        DamagedFile: If the file is not JSON, or not what was written. (Older versions wrote no
            checksums.)
        FileNotFoundError: If it does not exist.
    """
    content = path.read_bytes()
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is not valid JSON: {error}") from None
    if isinstance(value, dict) and value.pop(CHECKSUM, None) not in (None, checksum(value)):
        raise _damaged(path, "its checksum does not match")
    return value


def checksum(value: Mapping[str, Any]) -> str:
    """The checksum of a JSON document, which does not depend on how it is printed."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _damaged(path: Path, reason: str) -> DamagedFile:
    return DamagedFile(
        f"{path} is damaged ({reason}): restore it from a copy, or delete it and run the sweep "
        "again."
    )


def parsed(path: Path, parse: Callable[[Any], T]) -> T | None:
    """Read a JSON file and apply `parse`; None if the file is missing or damaged."""
    try:
        return parse(read_json(path))
    except (OSError, DamagedFile, LookupError, TypeError, ValueError, AttributeError):
        return None


def size_of(files: Iterable[Path]) -> int:
    """Size of some files in bytes, without those that another process has removed meanwhile."""
    num_bytes = 0
    for path in files:
        with suppress(FileNotFoundError):
            num_bytes += path.lstat().st_size
    return num_bytes


def _json(value: Any) -> bytes:
    if isinstance(value, dict):
        # As it will be read: without tuples, and with text for keys.
        value = json.loads(json.dumps(value))
        value |= {CHECKSUM: checksum(value)}
    return (json.dumps(value, indent=2) + "\n").encode()


def _make_folder(path: Path) -> None:
    """Create `path` and its missing parents so that they survive a loss of power."""
    if path.is_dir():
        return
    _make_folder(path.parent)
    path.mkdir(exist_ok=True)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill: it gets its name when the block has ended well, else it is deleted.

    Raises:
        StoreError: If there is a file of that name, or a folder that is not empty.
        OSError: If it cannot be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder} exists already: give the name of a new folder.")
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.parent / f".{folder.name}.{os.getpid()}.tmp"
    try:
        unfinished.mkdir()
        yield unfinished
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
