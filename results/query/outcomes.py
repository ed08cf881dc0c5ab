"""The outcome of every planned trial: the tables, joined."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from results.query.planned import STAGE_COLUMNS, Row, planned, stage_keys
from results.statuses import AttemptStatus, TrialOutcome
from results.store.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def trial_outcomes(
    store: Store, sweeps: list[str] | None = None, all_submissions: bool = False
) -> "pd.DataFrame":
    """The outcomes of `outcomes_of` as a pandas frame, for the trials of some sweeps.

    Args:
        store: The store to read.
        sweeps: Names of sweeps; None: every sweep.
        all_submissions: Include trials that the newest submission of their sweep no longer plans.
    Raises:
        StoreError: If there is no sweep of a given name.
        DamagedFile: If a file is damaged.
    """
    return to_pandas(outcomes_of(store, planned(store, sweeps, all_submissions)))


def outcomes_of(store: Store, trials: Sequence[Row]) -> "pa.Table":
    """Join the tables to one row for each planned trial, in the order given.

    A trial planned in two sweeps has a row in each.

    Args:
        store: The store to read.
        trials: Rows of the table `trials`.
    Returns:
        The table `results.query.views.OUTCOMES`.
    Raises:
        DamagedFile: If a file is damaged.
    """
    import pyarrow as pa

    from results.query.views import FROM_GENOTYPES, FROM_RETRAINS, OUTCOMES

    keys = stage_keys(trials)
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
                "retrain_s": None if retrain.get("trained_as") else retrain.get("wall_s"),
                "num_damaged": _most(damaged, trial, retrain),
                **_end(trial, stages, genotype, retrain),
            }
        )
    return pa.Table.from_pylist(rows, OUTCOMES.arrow)


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


def to_pandas(table: "pa.Table") -> "pd.DataFrame":
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
