"""Reads the table `attempts`, in which no attempt runs for ever.

A process that is killed cannot end the row of its attempt. The next attempt at the stage does so,
but there may be none for weeks. So whoever reads the rows gets the same end, before it is written.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from results.statuses import AttemptStatus
from results.store.attempt_files import AttemptPaths, failure_of
from results.store.layout import STAGE_KINDS
from results.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
NAME = "attempts"
NEEDED = ("stage_key", "attempt", "kind", "status", "started_at")


def read_attempts(
    store: Store, names: Collection[str] | None = None, columns: Sequence[str] | None = None
) -> "pa.Table":
    """Read the rows of all attempts; one that says it runs and whose process is gone is lost.

    Only the files of attempts that say so are looked at.

    Args:
        store: The store to read.
        names: Stage keys; None: all.
        columns: Columns to read; None: all.
    Raises:
        DamagedFile: If a file is damaged.
    """
    needed = None if columns is None else list(dict.fromkeys([*columns, *NEEDED]))
    rows = store.read(NAME, names, needed)
    seen = [_paths(store, rows, place) for place in _running(rows)]
    if gone := {paths for paths in seen if not _is_alive(paths)}:
        # A process ends its row before it gives the stage back. So those that have ended since the
        # rows were read say so now.
        rows = store.read(NAME, names, needed)
        rows = _ended(store, rows, gone)
    return rows if columns is None else rows.select(list(columns))


def lost(row: Row, paths: AttemptPaths) -> Row:
    """The row of an attempt whose process is gone.

    Args:
        row: What that process wrote.
        paths: The files of the attempt.
    """
    row = row | {"status": AttemptStatus.LOST.value}
    if row.get("ended_at") is None:
        row["ended_at"] = paths.last_sign_of_life(row["started_at"])
        row["wall_s"] = (row["ended_at"] - row["started_at"]).total_seconds()
    if failure := failure_of(paths):
        row["failure_kind"] = failure.kind
        row["error_type"] = failure.error_type
        row["error_message"] = failure.message
    return row


def _is_alive(paths: AttemptPaths) -> bool:
    # Imported only here: mostly no attempt runs, and then the table of processes is not needed.
    from results.store.holder import hold_on

    if not paths.folder.exists():
        return True  # A copy of the tables alone: the row is all that is known.
    hold = hold_on(paths)
    return hold is not None and hold.is_alive


def _running(rows: "pa.Table") -> list[int]:
    """The places of rows that say that their attempt runs."""
    import pyarrow.compute as pc

    is_running = pc.equal(rows["status"], AttemptStatus.RUNNING.value)
    places: list[int] = pc.indices_nonzero(is_running).to_pylist()
    # A newer version may know other kinds of stages.
    return [place for place in places if rows["kind"][place].as_py() in STAGE_KINDS]


def _paths(store: Store, rows: "pa.Table", place: int) -> AttemptPaths:
    key, number, kind = (rows[name][place].as_py() for name in ("stage_key", "attempt", "kind"))
    return AttemptPaths.of(store.stage_dir(kind, key), number)


def _ended(store: Store, rows: "pa.Table", gone: Collection[AttemptPaths]) -> "pa.Table":
    """The rows in the same order; of those that run, those of these attempts are lost."""
    import pyarrow as pa

    found = {place: _paths(store, rows, place) for place in _running(rows)}
    ends = {
        place: lost(rows.slice(place, 1).to_pylist()[0], paths)
        for place, paths in found.items()
        if paths in gone
    }
    order = list(range(len(rows)))
    for number, place in enumerate(ends):
        order[place] = len(rows) + number
    ended = pa.Table.from_pylist(list(ends.values()), rows.schema)
    return pa.concat_tables([rows, ended]).take(order)
