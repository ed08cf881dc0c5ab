"""Which stages a query reads, so that only their files are opened.

A question about one search would otherwise look into every file. DuckDB says in its plan which
condition on `stage_key` reaches the table `epochs`, whatever views, joins and subqueries stand in
between. Where the plan does not say it in so many words, all stages are read.
"""

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from results.schema import EPOCHS

if TYPE_CHECKING:
    import duckdb

_ONE_STAGE = re.compile(r"""\(?"?stage_key"? ?= ?'([0-9a-f]{16})'(?:::VARCHAR)?\)?""")
"""The whole of a condition. DuckDB joins the conditions on a table by AND."""
_COLUMNS = {column.name for column in EPOCHS.columns}


def stages_read(connection: "duckdb.DuckDBPyConnection", sql: str) -> set[str] | None:
    """The keys of the stages whose epochs a query can read; None: it may read any.

    Args:
        connection: Has the views that the query names, maybe without rows.
        sql: One query.
    """
    import duckdb

    try:
        (row,) = connection.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
        plan = json.loads(row[1])
    except (duckdb.Error, ValueError):  # It is wrong, or has no plan, such as DESCRIBE.
        return None
    keys: set[str] = set()
    scans = [node for node in _nodes(plan) if "ARROW_SCAN" in node["name"]]
    for scan in scans:
        details = scan.get("extra_info", {})
        if not _COLUMNS.issuperset(_texts(details.get("Projections"))):
            continue  # Of another table.
        found = [_ONE_STAGE.fullmatch(text) for text in _texts(details.get("Filters"))]
        if not any(found):
            return None
        keys |= {match[1] for match in found if match}
    return keys if scans else None


def _nodes(plan: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in plan:
        yield node
        yield from _nodes(node.get("children", []))


def _texts(value: Any) -> list[str]:
    """DuckDB writes one text as it is, and several as a list."""
    return [value] if isinstance(value, str) else list(value or [])
