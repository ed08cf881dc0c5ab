"""Every format and every kind of frame can show what a query answers."""

import io
import json
import math
from datetime import UTC, datetime
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from results.errors import QueryError
from results.query.opened import Frame, OpenedStore
from results.query.sql import query
from results.query.tables import Tables
from results.query.views import VIEWS
from results.report.rows import RowFormat, render_rows
from results.store.store import Store

OF_TIMES = [
    *("date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_tz"),
    *("date_array", "timestamp_array", "timestamptz_array"),
]
"""Columns of `test_all_types()` that go from the beginning of DuckDB's time to its end."""
WHOLE = f"SELECT * EXCLUDE ({', '.join(OF_TIMES)}) FROM test_all_types()"


def answer(store: Store, sql: str) -> pa.Table:
    return query(Tables(store), sql)


def row(store: Store, sql: str) -> dict[str, object]:
    (only,) = json.loads(render_rows(answer(store, sql), "json"))
    return dict(only)


def test_a_column_of_any_type_is_shown_in_every_format(example: Store) -> None:
    table = answer(example, WHOLE)
    assert table.num_columns > 45
    for format in get_args(RowFormat):
        assert render_rows(table, format), format
    assert pq.read_table(io.BytesIO(render_rows(table, "parquet"))).num_rows == 3


@pytest.mark.parametrize("frame", get_args(Frame))
def test_a_column_of_any_type_is_shown_in_every_frame(example: Store, frame: Frame) -> None:
    rows = OpenedStore(example.root).sql(WHOLE, frame)
    assert len(rows) == 3
    assert "🦆" in str(rows["varchar"])


@pytest.mark.parametrize("column", OF_TIMES[::3])
def test_a_time_that_nothing_else_has_is_named(example: Store, column: str) -> None:
    sql = f"SELECT 1 AS x, {column} FROM test_all_types()"
    with pytest.raises(QueryError, match=rf"^column {column} has a time .* CAST\(.*VARCHAR\)"):
        answer(example, sql)


@pytest.mark.parametrize(
    "value",
    [
        "'infinity'::timestamp",
        "'-infinity'::date",
        "'294247-01-10'::timestamp",
        "{'a': ['infinity'::timestamptz]}",
        "map {'infinity'::date: 1}",
    ],
)
def test_a_time_without_end_is_refused_and_shown_as_text(example: Store, value: str) -> None:
    with pytest.raises(QueryError, match=r"^column x has a time"):
        answer(example, f"SELECT {value} AS x")
    assert row(example, f"SELECT ({value})::VARCHAR AS x")["x"]


SHOWN = {
    "sum(1)": 1,
    "0.1 + 0.2": 0.3,
    "97.25::DECIMAL(5, 2)": 97.25,
    "7::DECIMAL(9, 0)": 7,
    "[sum(1), 2]": [1, 2],
    "{'n': sum(1), 'of': {'a b': 0.5}}": {"n": 1, "of": {"a b": 0.5}},
    "map {'a': 0.5}": [["a", 0.5]],
    "[0.5, 1.5]::DECIMAL(3, 1)[2]": [0.5, 1.5],
    "2::HUGEINT ** 0": 1.0,
    "170141183460469231731687303715884105727": "170141183460469231731687303715884105727",
    "340282366920938463463374607431768211455::UHUGEINT": f"{2**128 - 1}",
    "INTERVAL 100 SECOND": "00:01:40",
    "TIME '24:00:00'": "24:00:00",
    "'infinity'::TIMESTAMP_NS": "infinity",
    "union_value(a := 1)": "1",
    "'a\\x00'::BLOB": "a\\x00",
    "'0101'::BIT": "0101",
    "DATE '9999-12-31'": "9999-12-31",
    "NULL": None,
    "map {}": [],
}
"""Values in SQL, and the numbers and texts that JSON has for them."""


def test_a_value_is_the_number_or_the_text_that_it_stands_for(example: Store) -> None:
    values = ", ".join(f"{value} AS x{number}" for number, value in enumerate(SHOWN))
    shown = row(example, f"SELECT {values} FROM range(1)").values()
    assert dict(zip(SHOWN, shown, strict=True)) == SHOWN


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("'é'::BIT", "Invalid character encountered in string -> bit conversion: '\ufffd'"),
        ("[sum(9223372036854775807), 1]", "range.* INT64: CAST it AS DOUBLE or VARCHAR"),
        ("[99999999999999999999999999999999999999::DECIMAL(38, 0)]", "INT64: CAST it AS DOUBLE"),
    ],
)
def test_an_error_of_a_conversion_is_one_sentence(example: Store, value: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        answer(example, f"SELECT {value} AS x FROM range(2)")


def test_the_longest_time_is_long_enough(example: Store) -> None:
    assert query(Tables(example), "SELECT 1 AS x", timeout_s=math.inf).num_rows == 1


def test_pandas_keeps_every_digit_of_integers_beside_null(example: Store) -> None:
    sql = "SELECT x FROM (VALUES (18446744073709551615::UBIGINT), (NULL)) t(x)"
    assert OpenedStore(example.root).sql(sql)["x"].max() == 2**64 - 1


def test_a_sum_is_an_integer_in_every_row_also_beside_null(example: Store) -> None:
    column = answer(example, "SELECT sum(i) AS s FROM (VALUES (1), (NULL)) t(i) GROUP BY i")["s"]
    assert (column.type, sorted(column.drop_null().to_pylist())) == (pa.int64(), [1])


def test_columns_of_one_name_are_numbered(example: Store) -> None:
    assert row(example, 'SELECT 1 AS a, 2 AS a, 3 AS "q""a", 4 AS "q""a"') == {
        "a": 1,
        "a_1": 2,
        'q"a': 3,
        'q"a_1': 4,
    }


def test_rows_stay_in_their_order(example: Store) -> None:
    sql = "SELECT range::HUGEINT AS x FROM range(300000) ORDER BY x DESC"
    assert answer(example, sql)["x"].to_pylist() == list(range(299999, -1, -1))


def test_times_are_in_utc_wherever_a_person_is(
    example: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    sql = "SELECT TIMESTAMPTZ '2026-01-01 00:00:00+00' AS x"
    assert answer(example, sql)["x"].to_pylist() == [datetime(2026, 1, 1, tzinfo=UTC)]
    assert row(example, sql) == {"x": "2026-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    "sql",
    ["SHOW TABLES", "-- all\nshow tables;", "SELECT table_name FROM information_schema.tables"],
)
def test_the_tables_are_listed(example: Store, sql: str) -> None:
    (column,) = answer(example, sql).columns
    assert column.to_pylist() == sorted(VIEWS)


@pytest.mark.parametrize(
    "sql", ["FROM query_table('tri' || 'als')", "FROM query('FROM tri' || 'als')"]
)
def test_a_name_made_from_text_never_reads_an_empty_table(example: Store, sql: str) -> None:
    with pytest.raises(QueryError, match="there is no table trials"):
        answer(example, sql)
