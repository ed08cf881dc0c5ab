"""Rows of a query in every format."""

import csv
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from results.report.rows import MAX_CELL, render_rows

ROWS = pa.table(
    {
        "name": ["=cmd()", "a|b\x1b[31m", None],
        "value": [-1.5, float("nan"), 97.30000000001],
        "count": pa.array([1, None, 3], pa.int64()),
        "list": [[1.0, 2.0], None, []],
        "time": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
    }
)


def test_text_is_aligned_rounded_and_has_a_dash_for_null() -> None:
    lines = render_rows(ROWS).decode().splitlines()
    assert lines[0].split() == ["name", "value", "count", "list", "time"]
    assert lines[1].split()[:3] == ["=cmd()", "-1.5", "1"]
    assert lines[3].split() == ["-", "97.3", "3", "[]", "-"]


def test_text_cuts_long_cells_and_splits_at_the_width() -> None:
    wide = pa.table({"a": ["x"], "long": ["y" * 500], "b": ["z"]})
    text = render_rows(wide, width=80).decode()
    assert "…" in text
    assert max(map(len, text.splitlines())) <= max(80, MAX_CELL)
    assert "y" * 500 in render_rows(wide, "markdown").decode()


def test_csv_has_full_precision_and_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(render_rows(ROWS, "csv").decode())))
    assert [row["name"] for row in rows] == ["'=cmd()", "a|b[31m", ""]
    assert [row["value"] for row in rows] == ["-1.5", "nan", "97.30000000001"]
    assert [row["count"] for row in rows] == ["1", "", "3"]
    assert rows[0]["list"] == "[1.0, 2.0]"


def test_json_has_null_for_nan_and_texts_for_times() -> None:
    rows = json.loads(render_rows(ROWS, "json"))
    assert [row["value"] for row in rows] == [-1.5, None, 97.30000000001]
    assert rows[0]["time"] == "2026-01-01T00:00:00+00:00"
    assert rows[0]["list"] == [1.0, 2.0]


def test_markdown_escapes_markup() -> None:
    assert r"| a\|b\[31m |" in render_rows(ROWS, "markdown").decode()


def test_parquet_is_the_table() -> None:
    read = pq.read_table(io.BytesIO(render_rows(ROWS, "parquet")))
    assert repr(read.to_pylist()) == repr(ROWS.to_pylist())  # NaN equals itself only as text.


@pytest.mark.parametrize("format", ["text", "markdown", "csv"])
def test_no_rows_leave_the_header(format: str) -> None:
    text = render_rows(ROWS.slice(0, 0), format).decode()  # type: ignore[arg-type]
    assert "name" in text
    assert "cmd" not in text
