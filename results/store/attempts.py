"""Reads the table `attempts`, in which no attempt runs for ever.

A process that is killed cannot end the row of its attempt. The next attempt at the stage does so,
but there may be none for weeks. So whoever reads the rows gets the same end, before it is written.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from results.schema import SCHEMA
from results.statuses import AttemptStatus
from results.store.attempt_files import AttemptPaths, failure_of
from results.store.layout import STAGE_KINDS
from results.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
NAME = "attempts"
ID = ("stage_key", "attempt", "kind")
RUNNING = AttemptStatus.RUNNING.value
NEEDED = (*ID, "status", "started_at")


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
    import pyarrow as pa
    import pyarrow.compute as pc

    from results.store.codec import concat

    needed = None if columns is None else list(dict.fromkeys([*columns, *NEEDED]))
    rows = store.scan(NAME, names, needed)
    live = rows.live  # What is sealed has ended, see `seal`.
    if gone := gone_attempts(store, live):
        keys = sorted({paths.folder.parents[1].name for paths in gone})
        # A process ends its row before it gives the stage back. So one that has ended since its row
        # was read says so now.
        again = with_ends(store, store.read(NAME, keys, needed), gone)
        others = live.filter(pc.invert(pc.is_in(live["stage_key"], pa.array(keys))))
        order = [(column, "ascending") for column in SCHEMA[NAME].key]
        live = pa.concat_tables([others, again]).sort_by(order)
    sealed = [] if rows.sealed is None else [rows.sealed.read(columns)]
    return concat(NAME, [*sealed, live if columns is None else live.select(columns)], columns)


def gone_attempts(store: Store, rows: "pa.Table") -> set[AttemptPaths]:
    """The attempts whose rows say that they run, and whose processes are gone."""
    # Not with `pyarrow.compute`: to compare with text it imports pandas, which takes half a second.
    running = (at for at, status in enumerate(rows["status"].to_pylist()) if status == RUNNING)
    listed = [rows.select(ID).slice(at, 1).to_pylist()[0] for at in running]
    # A newer version may know other kinds of stages.
    seen = [_paths(store, row) for row in listed if row["kind"] in STAGE_KINDS]
    return {paths for paths in seen if not _is_alive(paths)}


def with_ends(store: Store, rows: "pa.Table", gone: Collection[AttemptPaths]) -> "pa.Table":
    """The same rows; of those that say they run, those of these attempts are lost."""
    import pyarrow as pa

    if not gone:
        return rows
    listed = rows.to_pylist()
    for place, row in enumerate(listed):
        if row["status"] == RUNNING and _paths(store, row) in gone:
            listed[place] = lost(row, _paths(store, row))
    return pa.Table.from_pylist(listed, rows.schema)


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


def _paths(store: Store, row: Row) -> AttemptPaths:
    return AttemptPaths.of(store.stage_dir(row["kind"], row["stage_key"]), row["attempt"])
