"""Checksums of the blocks of a large file, so that a part of it can be read and still be checked.

A live file is small: it is always read and checked as a whole. A sealed file can be hundreds of
times larger than the columns that a question needs. So it has a checksum for each 64 KiB, and
only the blocks with its footer and with these columns are compared.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import DamagedFile

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

BLOCK = 64 * 1024
DIGITS = 16
TAIL = 8
"""A Parquet file ends with the length of its footer and a mark, of four bytes each."""
AT_ONCE = 64
"""Blocks that are read together."""


def block_sums(content: bytes | memoryview) -> list[str]:
    """The checksum of each block: the first digits of its sha256."""
    view = memoryview(content)
    parts = (view[start : start + BLOCK] for start in range(0, len(view), BLOCK))
    return [hashlib.sha256(part).hexdigest()[:DIGITS] for part in parts]


def check_blocks(
    file: "pa.NativeFile",
    path: Path,
    num_bytes: int,
    sums: Sequence[str],
    columns: Collection[str] | None = None,
) -> None:
    """Compare a Parquet file with the checksums of its blocks.

    Args:
        file: The open file.
        path: Its path, for the error.
        num_bytes: Its size when it was written.
        sums: What `block_sums` returned for its content.
        columns: Check only its footer and what is needed to read these columns; None: all of it.
    Raises:
        DamagedFile: If it is not what was written.
    """
    size = file.size()
    if size != num_bytes or size < TAIL:
        raise _damaged(path, f"it has {size} bytes instead of {num_bytes}")
    if columns is None:
        _compare(file, path, sums, [(0, size)])
        return
    _compare(file, path, sums, [(size - TAIL, size)])
    footer = size - TAIL - int.from_bytes(file.read_at(TAIL, size - TAIL)[:4], "little")
    _compare(file, path, sums, [(max(footer, 0), size)])
    if columns:
        import pyarrow.parquet as pq

        _compare(file, path, sums, _ranges(pq.ParquetFile(file).metadata, frozenset(columns)))


def _compare(
    file: "pa.NativeFile", path: Path, sums: Sequence[str], ranges: Iterable[tuple[int, int]]
) -> None:
    wanted = {number for start, end in ranges for number in range(start // BLOCK, -(-end // BLOCK))}
    for first, count in _runs(sorted(wanted)):
        found = block_sums(file.read_at(count * BLOCK, first * BLOCK))
        if found != list(sums[first : first + count]):
            raise _damaged(path, "its checksums do not match")


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """The first number and the length of each run of consecutive numbers."""
    start = 0
    for place in range(1, len(numbers) + 1):
        ends = place == len(numbers) or numbers[place] != numbers[place - 1] + 1
        if ends or place - start == AT_ONCE:
            yield numbers[start], place - start
            start = place


def _ranges(footer: "pq.FileMetaData", columns: Collection[str]) -> Iterator[tuple[int, int]]:
    """Where the bytes of some columns begin and end."""
    paths = [footer.schema.column(place).path for place in range(footer.num_columns)]
    places = [place for place, path in enumerate(paths) if path.partition(".")[0] in columns]
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for place in places:
            chunk = group.column(place)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            yield start, start + chunk.total_compressed_size


def _damaged(path: Path, reason: str) -> DamagedFile:
    return DamagedFile(
        f"{path} is damaged ({reason}): restore it from a copy, or let `fairdarts store check "
        "--repair` move it away, and run its sweeps again."
    )
