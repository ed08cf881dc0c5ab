"""Tables of the page: cells that can be sorted, and long ones cut with a sentence."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from results.report.columns import NOTHING
from results.text import clean_text

_NUMBER = re.compile(r"\[?[+-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?")


@dataclass(frozen=True)
class Cell:
    """One cell, as text for people."""

    text: str
    value: float | None = None
    """What the column is sorted by; None: its text."""
    link: str = ""
    """Id of the part of the page that it leads to."""
    status: str = ""
    """The word for how a trial ended, if the cell has a colour for it."""


@dataclass(frozen=True)
class Grid:
    """One table."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    """Sentences below it."""

    @property
    def numeric(self) -> list[bool]:
        """Of each column whether it holds numbers."""
        return [
            all(cell.value is not None or cell.text == NOTHING for cell in column)
            for column in zip(*self.rows, strict=True)
        ] or [False] * len(self.header)


def cell(value: object, decimals: int | None = None) -> Cell:
    """A cell for a value of a table.

    Args:
        value: Text, a number, or nothing (None, NaN).
        decimals: Decimals of a number; None: three significant digits beyond whole numbers.
    """
    if isinstance(value, str):
        return Cell(clean_text(value) or NOTHING)
    if value is None or value != value or not isinstance(value, int | float):
        return Cell(NOTHING)
    if isinstance(value, int):
        return Cell(f"{value:,}", value)
    form = "#,.3g" if decimals is None and abs(value) < 100 else f",.{decimals or 0}f"
    return Cell(format(value, form), value)


def broken(text: str | None) -> str:
    """The name of a data set or recipe, which a browser can break between its settings."""
    return (text or "").replace(", ", ",").replace(",", ", ")


def text_cells(texts: Iterable[str]) -> list[Cell]:
    """Cells of texts that are formatted already; those that begin with a number sort by it."""
    return [Cell(text, _first_number(text)) for text in texts]


def _first_number(text: str) -> float | None:
    match = _NUMBER.match(text)
    return float(match[0].lstrip("[").replace(",", "")) if match else None


def seconds(value: float | None) -> Cell:
    """A duration, as hours, minutes or seconds."""
    if value is None or value != value:
        return Cell(NOTHING)
    for size, unit in ((3600, "h"), (60, "min")):
        if value >= 1.5 * size:
            return Cell(f"{value / size:,.1f} {unit}", value)
    return Cell(f"{value:.1f} s", value)
