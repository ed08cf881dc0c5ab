"""Choosing trials by a condition in SQL, for every table and comparison."""

from collections import Counter

from results.errors import QueryError
from results.query.sql import query
from results.query.tables import TRIAL, Tables


def where(tables: Tables, condition: str) -> Tables:
    """The trials for which a condition holds, and the rows of their stages.

    A condition can leave out what failed, or what is not good enough: so `notes` of the result say
    how many trials there would be without it, and how those ended that are left out.

    Args:
        tables: Where the trials are.
        condition: A condition on the table `outcomes` in DuckDB's SQL, such as
            `method = 'darts' AND search_seed < 4`. It may also ask the other tables.
    Raises:
        QueryError: If it is not a condition, or is wrong.
    """
    if not condition.strip():
        raise QueryError("where is empty: give a condition, such as method = 'darts'.")
    # It is put into a query as it is: whatever it holds, a query can only read these tables.
    sql = f"SELECT sweep, trial_id FROM outcomes WHERE (\n{condition}\n)"  # noqa: S608
    try:
        found = query(tables, sql)
    except QueryError as error:
        raise QueryError(f"where (={condition!r}): {error}") from None
    if found.column_names != ["sweep", "trial_id"]:
        raise QueryError(f"where (={condition!r}) must be one condition, such as method = 'darts'.")
    kept = set(zip(*(column.to_pylist() for column in found.columns), strict=True))
    some = tables.of_trials(kept)
    if len(some.trials) < len(tables.trials):
        outcomes = tables.read("outcomes").select([*TRIAL, "outcome"]).to_pydict()
        ends = Counter(
            end for *trial, end in zip(*outcomes.values(), strict=True) if tuple(trial) not in kept
        )
        counts = ", ".join(f"{number:,} {end}" for end, number in ends.most_common())
        some.condition_note = (
            f"Only {len(some.trials):,} of {len(tables.trials):,} planned trials: those with "
            f"`{' '.join(condition.split())}`. Left out: {counts}."
        )
    return some
