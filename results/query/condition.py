"""Choosing trials by a condition in SQL, for every table and comparison."""

from results.errors import QueryError
from results.query.sql import query
from results.query.tables import Tables


def where(tables: Tables, condition: str) -> Tables:
    """The trials for which a condition holds, and the rows of their stages.

    Args:
        tables: Where the trials are.
        condition: A condition on the table `outcomes` in DuckDB's SQL, such as
            `method = 'darts' AND search_seed < 4`. It may also ask the other tables.
    Raises:
        QueryError: If it is not a condition, or is wrong.
    """
    # It is put into a query as it is: whatever it holds, a query can only read these tables.
    sql = f"SELECT sweep, trial_id FROM outcomes WHERE (\n{condition}\n)"  # noqa: S608
    try:
        found = query(tables, sql)
    except QueryError as error:
        raise QueryError(f"where (={condition!r}): {error}") from None
    if found.column_names != ["sweep", "trial_id"]:
        raise QueryError(f"where (={condition!r}) must be one condition, such as method = 'darts'.")
    kept = set(zip(*(column.to_pylist() for column in found.columns), strict=True))
    return tables.of_trials(kept)
