"""The outcome of every planned trial: the tables, joined."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from results.errors import StoreError
from results.statuses import AttemptStatus, TrialOutcome
from results.store.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

STAGE_COLUMNS = ("search_key", "sample_key", "derive_key", "retrain_key")
"""Columns of `trials` that name its stages, in the order they run."""
FROM_GENOTYPES = (
    "genotype_json",
    "num_skips_normal",
    "num_skips_reduce",
    "num_edges_normal",
    "num_edges_reduce",
    "margin_normal",
    "margin_reduce",
    "stable_epochs",
    "num_blocks",
    "num_removed_layers",
    "num_skips_layers",
    "margin_layers",
)
FROM_RETRAINS = (
    "test_top1_pct",
    "best_test_top1_pct",
    "best_epoch",
    "val_test_top1_pct",
    "val_epoch",
    "params",
    "params_with_auxiliary",
    "multadds",
    "image_size",
    "init_channels",
    "num_cells",
)
"""Columns of these tables that the row of a trial gets."""

Row = Mapping[str, Any]


def trial_outcomes(
    store: Store, sweeps: list[str] | None = None, all_submissions: bool = False
) -> "pd.DataFrame":
    """Join the tables to one row for each planned trial, in the order of the plan.

    A trial planned in two sweeps has a row in each.

    Args:
        store: The store to read.
        sweeps: Names of sweeps; None: every sweep.
        all_submissions: Include trials that the newest submission of their sweep no longer plans.
    Returns:
        The columns of `trials`; those of its genotype and its retraining; `search_s` and
        `retrain_s`, sums over epochs; `num_damaged`, the number of damaged images left out by the
        stage that left out most; `outcome`, a `TrialOutcome`; `failure_kind` of a failed trial; and
        `reason`, why a trial is invalid or failed.
    Raises:
        StoreError: If there is no sweep of a given name.
        DamagedFile: If a file is damaged.
    """
    import pyarrow as pa

    trials, left_out = _planned(store, sweeps)
    if all_submissions:
        trials = [*left_out, *trials]
    keys = frozenset(trial[column] for trial in trials for column in STAGE_COLUMNS) - {None}
    genotypes = {row["stage_key"]: row for row in store.read("genotypes", keys).to_pylist()}
    retrains = {row["stage_key"]: row for row in store.read("retrains", keys).to_pylist()}
    trained_as = frozenset(row["trained_as"] for row in retrains.values()) - {None}
    attempts: dict[str, Row] = {}
    damaged: dict[str, int] = {}
    for row in store.read("attempts", keys | trained_as).sort_by("attempt").to_pylist():
        key = row["stage_key"]
        attempts[key] = row
        if row["num_damaged"] is not None:  # A resumed attempt may have read fewer images.
            damaged[key] = max(row["num_damaged"], damaged.get(key, 0))
    search_s = _search_seconds(store, frozenset(trial["search_key"] for trial in trials))

    rows = []
    for trial in trials:
        genotype = genotypes.get(trial["derive_key"] or trial["sample_key"], {})
        retrain = retrains.get(trial["retrain_key"], {})
        stages = [attempts[trial[name]] for name in STAGE_COLUMNS if trial[name] in attempts]
        rows.append(
            {
                **trial,
                **{name: genotype.get(name) for name in FROM_GENOTYPES},
                **{name: retrain.get(name) for name in FROM_RETRAINS},
                "search_s": search_s.get(trial["search_key"]),
                "retrain_s": retrain.get("wall_s"),
                "num_damaged": _most(damaged, trial, retrain),
                **_end(trial, stages, genotype, retrain),
            }
        )
    return _frame(pa.Table.from_pylist(rows, _outcome_schema()))


def num_left_out(store: Store, sweeps: list[str] | None = None) -> int:
    """How many trials of older submissions `trial_outcomes` leaves out by default."""
    return len(_planned(store, sweeps)[1])


def _planned(store: Store, sweeps: list[str] | None) -> tuple[list[Row], list[Row]]:
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


def _search_seconds(store: Store, keys: frozenset[str]) -> dict[str, float]:
    epochs = store.read("epochs", keys, columns=["stage_key", "wall_s"])
    sums = epochs.group_by("stage_key").aggregate([("wall_s", "sum")]).to_pylist()
    return {row["stage_key"]: row["wall_s_sum"] for row in sums}


def _most(damaged: Mapping[str, int], trial: Row, retrain: Row) -> int | None:
    """The greater of the numbers of damaged images left out by search and by retraining."""
    keys = (trial["search_key"], retrain.get("trained_as") or trial["retrain_key"])
    return max((damaged[key] for key in keys if key in damaged), default=None)


def _end(trial: Row, stages: list[Row], genotype: Row, retrain: Row) -> dict[str, str | None]:
    """How a trial ended and why. A result counts, even if a later attempt at a stage failed.

    Args:
        trial: Its plan.
        stages: Newest attempt at each of its stages, without stages that have none.
        genotype: Row of its genotype; empty: none yet.
        retrain: Row of its retraining; empty: none yet.
    """
    done = {stage["stage_key"] for stage in stages if stage["status"] == AttemptStatus.OK}
    failed = [stage for stage in stages if stage["status"] == AttemptStatus.FAILED]
    outcome, failure_kind, reason = TrialOutcome.UNFINISHED, None, None
    if genotype.get("valid") is False:
        outcome, reason = TrialOutcome.INVALID, genotype["invalid_reason"]
    elif trial["trial_id"] in done and (retrain or trial["retrain_key"] is None):
        outcome = TrialOutcome.OK
    elif failed:
        first = failed[0]
        error = ": ".join(filter(None, [first["error_type"], first["error_message"]]))
        outcome, failure_kind = TrialOutcome.FAILED, first["failure_kind"]
        reason = f"{failure_kind} in {first['kind']}, {error or 'no message'}"
    return {"outcome": outcome.value, "failure_kind": failure_kind, "reason": reason}


def _outcome_schema() -> "pa.Schema":
    import pyarrow as pa

    from results.schema import ATTEMPTS, F64, GENOTYPES, RETRAINS, STR, TRIALS

    return pa.schema(
        [
            *TRIALS.arrow,
            *(GENOTYPES.arrow.field(name) for name in FROM_GENOTYPES),
            *(RETRAINS.arrow.field(name) for name in FROM_RETRAINS),
            *(pa.field(name, F64) for name in ("search_s", "retrain_s")),
            ATTEMPTS.arrow.field("num_damaged"),
            *(pa.field(name, STR) for name in ("outcome", "failure_kind", "reason")),
        ]
    )


def _frame(table: "pa.Table") -> "pd.DataFrame":
    """Convert to pandas with nullable integers; otherwise one null seed makes all seeds floats."""
    import pandas as pd
    import pyarrow as pa

    nullable = {
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
    }
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get)
    return frame
