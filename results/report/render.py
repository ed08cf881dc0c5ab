"""The aggregated table as text, Markdown, CSV, LaTeX or JSON.

Means of different data sets, spaces or recipes must not be compared, so each combination is printed
as a block with titles of its own.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

from results.report.cells import aligned, csv_text, escape_markdown
from results.text import clean_text

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["text", "markdown", "csv", "latex", "json"]

HEADER = (
    "Method",
    "n searches",
    "ok trials",
    "Failed",
    "Invalid",
    "Top-1 (%)",
    "Params (M)",
    "MultAdds (M)",
    "Skips",
    "Search (s)",
    "Retrain (s)",
)
INCOMPLETE = "▲"
NOTHING = "-"


@dataclass(frozen=True)
class Block:
    """Rows that may be compared with each other, as text without control characters."""

    titles: list[str]
    rows: list[tuple[str, ...]]
    """Cells, in the order of `HEADER`."""
    notes: list[str]


def render(aggregated: "pd.DataFrame", format: Format = "text", width: int | None = None) -> str:
    """Format the table in one of five ways. It ends with a line break; without groups it is empty.

    Args:
        aggregated: What `results.query.aggregate.aggregate` returns.
        format: `csv` and `json` hold every number in full precision; the others are for reading.
            JSON is a list with one object for each group, with null for NaN.
        width: Columns of the terminal, for `text`: a wider table is split into parts, each of which
            begins with the first column. None: no limit.
    """
    if format == "csv":
        return _csv(aggregated)
    if format == "json":
        return _json(aggregated)
    if format == "text":
        return "\n".join(_text(block, width) for block in _blocks(aggregated))
    as_format = {"markdown": _markdown, "latex": _latex}[format]
    return "\n".join(as_format(block) for block in _blocks(aggregated))


def _blocks(aggregated: "pd.DataFrame") -> Iterable[Block]:
    comparable = ["sweep", "dataset", "space", "recipe"]
    for values, groups in aggregated.groupby(comparable, sort=False, dropna=False):
        sweep, dataset, space, recipe = (_words(value) for value in values)
        trained = f"recipe {recipe}" if recipe != NOTHING else "search only"
        titles = [
            f"{sweep} · {dataset} · space {space} · {trained}",
            "test top-1 at the last epoch · mean ± sample std over n searches or samples · "
            "ok, failed and invalid count trials",
        ]
        rows = groups.to_dict("records")
        notes = [
            f"{_mark(row)}{_words(row['group_label'])}: {_words(note)}"
            for row in rows
            for note in row["notes"]
        ]
        if any(row["n"] == 1 for row in rows):
            notes.append("± is missing where n = 1: one value has no standard deviation.")
        yield Block(titles, [_cells(row) for row in rows], notes)


def _mark(row: dict[Any, Any]) -> str:
    return "" if row["complete"] else f"{INCOMPLETE} "


def _cells(row: dict[Any, Any]) -> tuple[str, ...]:
    planned = f"{row['num_ok']} of {row['planned']}"
    return (
        _words(row["group_label"]),
        f"{row['n']} of {row['planned_searches']}",
        planned if row["complete"] else f"{planned} {INCOMPLETE}",
        str(row["num_failed"]),
        str(row["num_invalid"]),
        _mean_std(row["top1_pct_mean"], row["top1_pct_std"], decimals=2),
        _mean_std(row["params_m_mean"], row["params_m_std"]),
        _mean_std(row["multadds_m_mean"], row["multadds_m_std"]),
        _mean_std(_skips(row), math.nan, decimals=1),
        _mean_std(row["search_s_mean"], math.nan),
        _mean_std(row["retrain_s_mean"], math.nan),
    )


def _skips(row: dict[Any, Any]) -> float:
    """Skips of the normal cell, or in S2 layers with a skip; a row has one of the two numbers."""
    in_layers: float = row["num_skips_layers_mean"]
    in_cell: float = row["num_skips_normal_mean"]
    return in_cell if math.isnan(in_layers) else in_layers


def _mean_std(mean: float, std: float, decimals: int | None = None) -> str:
    """Print mean and spread; `decimals` None gives three significant digits of the mean."""
    if math.isnan(mean):
        return NOTHING
    if decimals is None:
        magnitude = math.floor(math.log10(abs(mean))) if mean else 0
        decimals = min(max(2 - magnitude, 0), 6)
    text = f"{mean:.{decimals}f}"
    return text if math.isnan(std) else f"{text} ± {std:.{decimals}f}"


def _words(value: object) -> str:
    return (clean_text(value) if isinstance(value, str) else "") or NOTHING


def _text(block: Block, width: int | None) -> str:
    table = aligned([HEADER, *block.rows], width)
    around = [block.titles, block.notes]
    if width:
        around = [[line for text in texts for line in wrap(text, width)] for texts in around]
    return "".join(f"{line}\n" for line in [*around[0], *table, *around[1]])


def _markdown(block: Block) -> str:
    lines = [HEADER, ["---"] * len(HEADER), *(map(escape_markdown, row) for row in block.rows)]
    table = [f"| {' | '.join(line)} |" for line in lines]
    notes = [f"- {escape_markdown(note)}" for note in block.notes]
    title = "  \n".join(map(escape_markdown, block.titles))
    parts = [[title], table, notes]
    return "\n".join("".join(f"{line}\n" for line in part) for part in parts if part)


def _latex(block: Block) -> str:
    width = len(HEADER)
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{'l' * width}}}",
        *(f"\\multicolumn{{{width}}}{{l}}{{{_escape_latex(line)}}} \\\\" for line in block.titles),
        "\\toprule",
        " & ".join(map(_escape_latex, HEADER)) + " \\\\",
        "\\midrule",
        *(" & ".join(map(_escape_latex, row)) + " \\\\" for row in block.rows),
        "\\bottomrule",
        *(f"\\multicolumn{{{width}}}{{l}}{{{_escape_latex(note)}}} \\\\" for note in block.notes),
        "\\end{tabular}",
    ]
    return "".join(f"{line}\n" for line in lines)


_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        # After a line break, LaTeX would read these two as its arguments.
        "[": "{[}",
        "*": "{*}",
        "±": r"$\pm$",
        "·": r"$\cdot$",
        "…": r"\dots{}",
        INCOMPLETE: r"$\triangle$",
    }
)


def _escape_latex(text: str) -> str:
    return text.translate(_LATEX)


def _json(aggregated: "pd.DataFrame") -> str:
    rows = [
        {name: _json_value(value) for name, value in row.items()}
        for row in aggregated.to_dict("records")
    ]
    return json.dumps(rows, indent=2, allow_nan=False) + "\n"


def _json_value(value: object) -> object:
    """NaN and infinity become null, because JSON has no word for them."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _csv(aggregated: "pd.DataFrame") -> str:
    frame = aggregated.copy()
    frame["notes"] = frame["notes"].map("; ".join)
    for name in frame.select_dtypes(["object", "string"]).columns:
        frame[name] = frame[name].map(csv_text)
    return frame.to_csv(index=False, lineterminator="\n")
