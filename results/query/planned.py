"""Which trials are planned: those of the newest submission of every sweep."""

from collections.abc import Iterable, Mapping
from typing import Any

from results.errors import StoreError
from results.store.store import Store

STAGE_COLUMNS = ("search_key", "sample_key", "derive_key", "retrain_key")
"""Columns of `trials` that name its stages, in the order they run."""

Row = Mapping[str, Any]


def planned(
    store: Store, sweeps: list[str] | None = None, all_submissions: bool = False
) -> list[Row]:
    """Rows of the table `trials`, in the order of the plan.

    Args:
        store: The store to read.
        sweeps: Names of sweeps; None: every sweep.
        all_submissions: Also the trials that only older submissions of a sweep planned, first.
    Raises:
        StoreError: If there is no sweep of a given name.
        DamagedFile: If a file is damaged.
    """
    newest, older = by_age(store, sweeps)
    return [*older, *newest] if all_submissions else newest


def stage_keys(trials: Iterable[Row]) -> frozenset[str]:
    """Keys of all stages of some trials."""
    return frozenset(trial[column] for trial in trials for column in STAGE_COLUMNS) - {None}


def by_age(store: Store, sweeps: list[str] | None) -> tuple[list[Row], list[Row]]:
    """Trials of the newest submission of each sweep, and trials that only older ones planned."""
    if sweeps is not None:
        _check_sweeps(store, sweeps)
    newest: dict[str, int] = {}
    trials: dict[tuple[str, str], Row] = {}
    for row in store.read("trials", sweeps).sort_by("submission").to_pylist():
        newest[row["sweep"]] = row["submission"]
        name = row["sweep"], row["trial_id"]
        trials.pop(name, None)  # Removed first, so that it takes its place in the newest plan.
        trials[name] = row
    kept = [row for row in trials.values() if row["submission"] == newest[row["sweep"]]]
    older = [row for row in trials.values() if row["submission"] < newest[row["sweep"]]]
    return kept, older


def _check_sweeps(store: Store, sweeps: list[str]) -> None:
    known = store.sweep_names()
    for name in sweeps:
        if name not in known:
            raise StoreError(
                f"{store.root} has no sweep {name!r}; it has {', '.join(known) or 'none'}."
            )
