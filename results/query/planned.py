"""Which trials are planned: those of the newest submission of every sweep."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results.errors import StoreError
from results.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

STAGE_COLUMNS = ("search_key", "sample_key", "derive_key", "retrain_key")
"""Columns of `trials` that name its stages, in the order they run."""

Row = Mapping[str, Any]


def planned(
    store: Store, sweeps: list[str] | None = None, all_submissions: bool = False
) -> "pa.Table":
    """Rows of the table `trials`, in the order of the plan.

    Args:
        store: The store to read.
        sweeps: Names of sweeps; None: every sweep.
        all_submissions: Also the trials that only older submissions of a sweep planned, first.
    Raises:
        StoreError: If there is no sweep of a given name.
        DamagedFile: If a file of the table `trials` is damaged.
    """
    import pyarrow as pa

    newest, older = by_age(store, sweeps)
    return pa.concat_tables([older, newest]) if all_submissions else newest


def stage_keys(trials: "pa.Table") -> frozenset[str]:
    """Keys of all stages of some trials."""
    names = (trials[column].unique().to_pylist() for column in STAGE_COLUMNS)
    return frozenset().union(*names) - {None}


def by_age(store: Store, sweeps: list[str] | None) -> "tuple[pa.Table, pa.Table]":
    """Trials of the newest submission of each sweep, and trials that only older ones planned."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if sweeps is not None:
        _check_sweeps(store, sweeps)
    rows = store.read("trials", sweeps).sort_by("submission")
    newest = rows.group_by("sweep").aggregate([("submission", "max")])
    of_sweep = newest["submission_max"].take(pc.index_in(rows["sweep"], newest["sweep"]))
    is_newest = pc.equal(rows["submission"], of_sweep)
    kept, older = rows.filter(is_newest), rows.filter(pc.invert(is_newest))
    last: dict[tuple[str, str], int | None] = dict.fromkeys(_names(kept))
    for place, name in enumerate(_names(older)):
        if name not in last or last[name] is not None:
            last.pop(name, None)  # Removed first, so that it takes its place in the later plan.
            last[name] = place
    places = [place for place in last.values() if place is not None]
    return kept, older.take(pa.array(places, pa.int64()))


def _names(trials: "pa.Table") -> list[tuple[str, str]]:
    """Sweep and id of each trial."""
    columns = (trials[name].to_pylist() for name in ("sweep", "trial_id"))
    return list(zip(*columns, strict=True))


def _check_sweeps(store: Store, sweeps: list[str]) -> None:
    known = store.sweep_names()
    for name in sweeps:
        if name not in known:
            raise StoreError(
                f"{store.root} has no sweep {name!r}; it has {', '.join(known) or 'none'}."
            )
