"""The outcome of every planned trial: the tables, joined."""

from functools import reduce
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


def outcomes_of(store: Store, trials: "pa.Table") -> "pa.Table":
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
    import pyarrow.compute as pc

    from results.query.views import FROM_GENOTYPES, FROM_RETRAINS, OUTCOMES

    keys = stage_keys(trials)
    genotype_key = pc.coalesce(trials["derive_key"], trials["sample_key"])
    of_genotypes = ["stage_key", "valid", "invalid_reason", *FROM_GENOTYPES]
    genotypes = matched(store.read("genotypes", keys, of_genotypes), genotype_key)
    of_retrains = ["stage_key", "wall_s", *FROM_RETRAINS]
    retrains = matched(store.read("retrains", keys, of_retrains), trials["retrain_key"])
    trained_as = retrains["trained_as"]
    computed = keys.union(trained_as.unique().to_pylist()) - {None}
    of_attempts = ["stage_key", "attempt", "status", "num_damaged", *_OF_FAILURE]
    attempts = store.read("attempts", computed, of_attempts)
    damaged = attempts.group_by("stage_key").aggregate([("num_damaged", "max")])
    searched = trials["search_key"].unique().drop_null().to_pylist()
    search_s = store.read("epochs", searched, ["stage_key", "wall_s"]).group_by("stage_key")
    trained_key = pc.coalesce(trained_as, trials["retrain_key"])
    columns = {
        **dict(zip(trials.column_names, trials.columns, strict=True)),
        **{name: genotypes[name] for name in FROM_GENOTYPES},
        **{name: retrains[name] for name in FROM_RETRAINS},
        "search_s": matched(search_s.aggregate([("wall_s", "sum")]), trials["search_key"])[
            "wall_s_sum"
        ],
        "retrain_s": pc.if_else(pc.is_null(trained_as), retrains["wall_s"], None),
        # The greater of the numbers that search and retraining left out.
        "num_damaged": pc.max_element_wise(
            *(matched(damaged, of)["num_damaged_max"] for of in (trials["search_key"], trained_key))
        ),
        **_ends(trials, newest(attempts), genotypes, retrains),
    }
    arrays = [columns[field.name].cast(field.type) for field in OUTCOMES.arrow]
    return pa.Table.from_arrays(arrays, schema=OUTCOMES.arrow)


def matched(rows: "pa.Table", keys: "pa.ChunkedArray") -> "pa.Table":
    """The row of each stage; where there is none, a row of nulls.

    Args:
        rows: At most one for each stage, with a column `stage_key`.
        keys: Of stages, in the order wanted; null: no stage.
    """
    import pyarrow.compute as pc

    return rows.take(pc.index_in(keys, rows["stage_key"], skip_nulls=True))


def newest(attempts: "pa.Table") -> "pa.Table":
    """Of each stage the row of its highest attempt."""
    return attempts.filter(is_newest(attempts))


def is_newest(attempts: "pa.Table") -> "pa.ChunkedArray":
    """For each attempt whether it is the highest one of its stage."""
    import pyarrow.compute as pc

    highest = attempts.group_by("stage_key").aggregate([("attempt", "max")])
    return pc.equal(attempts["attempt"], matched(highest, attempts["stage_key"])["attempt_max"])


def _ends(
    trials: "pa.Table", attempts: "pa.Table", genotypes: "pa.Table", retrains: "pa.Table"
) -> "dict[str, pa.ChunkedArray]":
    """How each trial ended and why. A result counts, even if a later attempt at a stage failed.

    Args:
        trials: Their plan.
        attempts: Of each stage the newest.
        genotypes: The genotype of each trial; nulls: none yet.
        retrains: The retraining of each trial; nulls: none yet.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    def is_last(status: AttemptStatus, column: str) -> pa.ChunkedArray:
        found = matched(attempts, trials[column])["status"]
        return pc.fill_null(pc.equal(found, status.value), False)

    is_invalid = pc.fill_null(pc.invert(genotypes["valid"]), False)
    has_result = pc.or_(pc.is_valid(retrains["stage_key"]), pc.is_null(trials["retrain_key"]))
    is_ok = pc.and_(is_last(AttemptStatus.OK, "trial_id"), has_result)
    failed = [is_last(AttemptStatus.FAILED, column) for column in STAGE_COLUMNS]
    is_failed = reduce(pc.or_, failed)
    outcome = pc.case_when(
        pc.make_struct(is_invalid, is_ok, is_failed),
        *(TrialOutcome(one).value for one in ("invalid", "ok", "failed", "unfinished")),
    )
    # The first of its stages that failed, in the order in which they run.
    stage = pc.case_when(pc.make_struct(*failed), *(trials[column] for column in STAGE_COLUMNS))
    why = matched(attempts, pc.if_else(pc.equal(outcome, TrialOutcome.FAILED.value), stage, None))
    reasons = map(_reason, why.select(_OF_FAILURE).to_pylist())
    reason = pc.if_else(is_invalid, genotypes["invalid_reason"], pa.array(reasons, pa.string()))
    return {"outcome": outcome, "failure_kind": why["failure_kind"], "reason": reason}


_OF_FAILURE = ["kind", "failure_kind", "error_type", "error_message"]


def _reason(attempt: Row) -> str | None:
    if attempt["kind"] is None:  # It has not failed.
        return None
    error = ": ".join(filter(None, [attempt["error_type"], attempt["error_message"]]))
    return f"{attempt['failure_kind']} in {attempt['kind']}, {error or 'no message'}"


def to_pandas(table: "pa.Table") -> "pd.DataFrame":
    """Convert to pandas with nullable integers; otherwise one null seed makes all seeds floats."""
    import pandas as pd
    import pyarrow as pa

    names = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64")
    nullable = {pa.type_for_alias(name.lower()): pd.api.types.pandas_dtype(name) for name in names}
    frame: pd.DataFrame = table.to_pandas(types_mapper=nullable.get)
    return frame
