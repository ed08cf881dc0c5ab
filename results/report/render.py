"""The aggregated table as text, Markdown, CSV, LaTeX or JSON.

Means of different data sets, spaces or recipes must not be compared, so each combination is printed
as a block with titles of its own.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

from results.query.typed import typed
from results.report.cells import aligned, csv_text, escape_latex, escape_markdown
from results.report.columns import INCOMPLETE, NOTHING, Row, cells, is_printed, words

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Format = Literal["text", "markdown", "csv", "latex", "json"]

SELECTION = {
    "last": "test top-1 at the last epoch",
    "val": "test top-1 at the epoch that is best on held-out training images",
}
LEVEL = 0.05
"""A test that cannot reach this p gets a note."""
DIM, PLAIN = "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True)
class Block:
    """Rows that may be compared with each other, as text without control characters."""

    titles: list[str]
    header: list[str]
    rows: list[tuple[str, ...]]
    printed: list[bool]
    """For each row whether it is a number that the paper prints."""
    notes: list[str]
    measured: list[Row]
    """Those rows that are not printed in a paper, as numbers."""


def render(
    aggregated: "pd.DataFrame",
    format: Format = "text",
    width: int | None = None,
    dim: bool = False,
    notes: Sequence[str] = (),
) -> str:
    """Format the table in one of five ways. It ends with a line break; without groups it is empty.

    Args:
        aggregated: What `results.query.aggregate.aggregate` returns, with the columns of
            `results.query.versus.add_versus` and the rows of `results.query.presets.add_printed`
            where there are any.
        format: `csv` and `json` hold every number in full precision; the others are for
            reading. JSON is a list with one object for each group, with null for NaN.
        width: Columns of the terminal, for `text`: a wider table is split into parts, each of which
            begins with the first column. None: no limit.
        dim: Whether `text` shows the paper's numbers dimmed, with the codes of a terminal.
        notes: Sentences for the end of the table, in the formats for reading.
    """
    if format == "csv":
        return _csv(aggregated)
    if format == "json":
        return _json(aggregated)
    parts = list(blocks(aggregated))
    if parts:
        parts[-1].notes.extend(notes)
    if format == "text":
        return "\n".join(_text(block, width, dim) for block in parts)
    as_format = {"markdown": _markdown, "latex": _latex}[format]
    return "\n".join(as_format(block) for block in parts)


def blocks(aggregated: "pd.DataFrame") -> Iterable[Block]:
    """The rows of a table in blocks, so that all rows of a block may be compared.

    Args:
        aggregated: As of `render`.
    """
    rows: list[Row] = [*aggregated.to_dict("records")]
    printed = [row for row in rows if is_printed(row)]
    blocks: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if not is_printed(row):
            key = tuple(words(row[name]) for name in ("sweep", "dataset", "space", "recipe"))
            blocks.setdefault(key, []).append(row)
    for (sweep, dataset, space, recipe), measured in blocks.items():
        trained = f"recipe {recipe}" if recipe != NOTHING else "search only"
        titles = [
            f"{sweep} · {dataset} · space {space} · {trained}",
            f"{SELECTION[measured[0]['at']]} · mean ± sample std over n searches or samples, 95% "
            "t-interval · ok, failed and invalid count trials",
        ]
        yield _block(titles, measured, [one for one in printed if one["dataset"] == _base(dataset)])
    known = {_base(dataset) for _, dataset, _, _ in blocks}
    for dataset in dict.fromkeys(one["dataset"] for one in printed):
        if dataset not in known:
            alone = [one for one in printed if one["dataset"] == dataset]
            yield _block([f"{dataset} · no trial here; the paper prints"], [], alone)


def _base(dataset: str) -> str:
    """Name of a data set, without settings such as the number of images."""
    return dataset.partition("[")[0]


def _block(titles: list[str], measured: list[Row], printed: list[Row]) -> Block:
    header, texts = cells([*measured, *printed])
    of_paper = [False] * len(measured) + [True] * len(printed)
    notes = [*_notes(measured), *_conventions(printed)]
    return Block(titles, header, texts, of_paper, notes, measured)


def _notes(measured: list[Row]) -> Iterable[str]:
    for row in measured:
        mark = "" if row["complete"] else f"{INCOMPLETE} "
        yield from (f"{mark}{words(row['group_label'])}: {words(note)}" for note in row["notes"])
    if any(row["n"] == 1 for row in measured):
        yield "± is missing where n = 1: one value has no standard deviation."
    if any(isinstance(row.get("versus"), str) for row in measured):
        base = next(row["versus"] for row in measured if isinstance(row.get("versus"), str))
        yield (
            f"Δ: mean minus that of {words(base)}, with pairs of seeds where both have them; p is "
            "two-sided; p Holm is corrected for all rows; P(A > B): how often the row is higher."
        )
    for row in measured:
        if (smallest := row.get("smallest_p") or 0.0) > LEVEL:
            yield (
                f"{words(row['group_label'])}: {row['num_pairs']} pairs cannot give a p below "
                f"{smallest:g}; more seeds can."
            )


def _conventions(printed: list[Row]) -> Iterable[str]:
    """Where printed numbers come from and how they were counted."""
    if not printed:
        return
    yield (
        "Rows that are printed in a paper were not measured here and enter no mean and no test. "
        "Params of trials are without the auxiliary head."
    )
    by_convention: dict[str, list[str]] = {}
    for row in printed:
        parts = [words(row[name]) for name in ("runs", "convention")]
        text = "; ".join(part for part in parts if part not in (NOTHING, "model"))
        by_convention.setdefault(text, []).append(words(row["group_label"]))
    for text, labels in by_convention.items():
        if text:
            yield f"{', '.join(dict.fromkeys(labels))}: {text}."


def _text(block: Block, width: int | None, dim: bool) -> str:
    lines = [block.header, *block.rows]
    table = aligned(lines, width)
    if dim:  # A wide table is split, so a row has a line in each part.
        dimmed = [False, *block.printed] * (len(table) // len(lines))
        table = [
            f"{DIM}{line}{PLAIN}" if of_paper else line
            for line, of_paper in zip(table, dimmed, strict=True)
        ]
    around = [block.titles, block.notes]
    if width:
        around = [[line for text in texts for line in wrap(text, width)] for texts in around]
    return "".join(f"{line}\n" for line in [*around[0], *table, *around[1]])


def _markdown(block: Block) -> str:
    def line(row: Iterable[str], of_paper: bool = False) -> list[str]:
        texts = map(escape_markdown, row)
        return [f"*{text}*" if of_paper and text != NOTHING else text for text in texts]

    rows = [line(row, paper) for row, paper in zip(block.rows, block.printed, strict=True)]
    lines = [line(block.header), ["---"] * len(block.header), *rows]
    table = [f"| {' | '.join(cells)} |" for cells in lines]
    notes = [f"- {escape_markdown(note)}" for note in block.notes]
    title = "  \n".join(map(escape_markdown, block.titles))
    parts = [[title], table, notes]
    return "\n".join("".join(f"{line}\n" for line in part) for part in parts if part)


def _latex(block: Block) -> str:
    def line(row: Iterable[str], of_paper: bool = False) -> str:
        texts = map(escape_latex, row)
        return " & ".join(rf"\textit{{{text}}}" if of_paper else text for text in texts) + r" \\"

    width = len(block.header)
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{'l' * width}}}",
        *(f"\\multicolumn{{{width}}}{{l}}{{{escape_latex(text)}}} \\\\" for text in block.titles),
        "\\toprule",
        line(block.header),
        "\\midrule",
        *(line(row, paper) for row, paper in zip(block.rows, block.printed, strict=True)),
        "\\bottomrule",
        *(f"\\multicolumn{{{width}}}{{l}}{{{escape_latex(note)}}} \\\\" for note in block.notes),
        "\\end{tabular}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _json(aggregated: "pd.DataFrame") -> str:
    rows = [
        {name: _json_value(value) for name, value in row.items()}
        for row in aggregated.to_dict("records")
    ]
    return json.dumps(rows, indent=2, allow_nan=False) + "\n"


def _json_value(value: Any) -> object:
    """NaN, infinity and missing values become null, because JSON has no word for them."""
    import pandas as pd

    if value is pd.NA:
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _csv(aggregated: "pd.DataFrame") -> str:
    import pandas as pd

    rows = aggregated.assign(notes=aggregated["notes"].map("; ".join)).to_dict("list")
    texts = {
        name: [csv_text(one) if isinstance(one, str) else one for one in column]
        for name, column in rows.items()
    }
    # As objects, because whole numbers beside missing ones become floats otherwise.
    return pd.DataFrame(texts, dtype=object).to_csv(index=False, lineterminator="\n")


def as_arrow(aggregated: "pd.DataFrame") -> "pa.Table":
    """The aggregated table for a Parquet file, with null for NaN."""
    return typed(json.loads(_json(aggregated)), aggregated.columns)
