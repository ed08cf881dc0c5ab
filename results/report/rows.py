"""Rows of any query as text, Markdown, CSV, LaTeX, JSON or Parquet."""

import json
import math
from collections.abc import Callable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from results.report.cells import aligned, csv_text, escape_latex, escape_markdown
from results.text import clean_text

if TYPE_CHECKING:
    import pyarrow as pa

RowFormat = Literal["text", "markdown", "csv", "latex", "json", "parquet"]
MAX_CELL = 60
"""Longer cells are cut in text; the other formats have them whole."""


def render_rows(
    table: "pa.Table", format: RowFormat = "text", width: int | None = None, cut: bool = True
) -> bytes:
    """Format a table.

    Args:
        table: Any table.
        format: `csv`, `json` and `parquet` hold every number in full precision; JSON is a list with
            one object for each row, with null for NaN. `text` and `latex` round to six digits
            and cut long cells.
        width: Columns of the terminal, for `text`: a wider table is split. None: no limit.
        cut: Whether long cells are cut.
    """
    short = _short if cut else _rounded
    formats: dict[str, Callable[[], bytes]] = {
        "text": lambda: _lines(aligned(_cells(table, short), width)),
        "markdown": lambda: _lines(_markdown(table)),
        "csv": lambda: _csv(table),
        "latex": lambda: _lines(_latex(_cells(table, short))),
        "json": lambda: _json(table),
        "parquet": lambda: _parquet(table),
    }
    return formats[format]()


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _cells(table: "pa.Table", text: Callable[[Any], str]) -> list[list[str]]:
    header = [clean_text(name) for name in table.column_names]
    columns = [[text(value) for value in column.to_pylist()] for column in table.columns]
    return [header, *map(list, zip(*columns, strict=True))]


def _text(value: Any) -> str:
    """A value in full precision; nothing for null."""
    if value is None:
        return ""
    return clean_text(value if isinstance(value, str) else _plain_text(value))


def _plain_text(value: Any) -> str:
    part = plain(value)
    return json.dumps(part) if isinstance(part, list | dict | bool) else str(value)


def _short(value: Any) -> str:
    text = _rounded(value)
    return f"{text[: MAX_CELL - 1]}…" if len(text) > MAX_CELL else text


def _rounded(value: Any) -> str:
    return (f"{value:.6g}" if isinstance(value, float) else _text(value)) or "-"


def _markdown(table: "pa.Table") -> list[str]:
    header, *rows = [[*map(escape_markdown, line)] for line in _cells(table, _text)]
    return [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *rows)]


def _latex(cells: list[list[str]]) -> list[str]:
    header, *rows = [[*map(escape_latex, line)] for line in cells]
    return [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{'l' * len(header)}}}",
        "\\toprule",
        " & ".join(header) + r" \\",
        "\\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]


def _csv(table: "pa.Table") -> bytes:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_text, table.column_names))
    columns = [column.to_pylist() for column in table.columns]
    for row in zip(*columns, strict=True):
        # A negative number is no formula; any text may be one.
        writer.writerow(csv_text(v) if isinstance(v, str) else _text(v) for v in row)
    return text.getvalue().encode()


def _json(table: "pa.Table") -> bytes:
    rows = [{name: plain(value) for name, value in row.items()} for row in table.to_pylist()]
    return (json.dumps(rows, indent=2, allow_nan=False) + "\n").encode()


def plain(value: Any) -> Any:
    """A value that JSON has. NaN and infinity become null, times text, anything else its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value if isinstance(value, str | int | bool | None) else str(value)


def _parquet(table: "pa.Table") -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return bytes(sink.getvalue().to_pybytes())
