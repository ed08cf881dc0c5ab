"""Cells of tables as text: aligned for a terminal, or escaped for a format."""

import re
import sys
from collections.abc import Sequence

from results.text import clean_text

FORMULA_STARTS = ("=", "+", "-", "@")


def aligned(lines: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """Align the columns of a table.

    Args:
        lines: Cells of each line, the header first.
        width: Columns of the terminal: a wider table is split into parts, each of which begins with
            the first column. None: no limit.
    """
    columns = [
        [cell.ljust(max(map(len, column))) for cell in column]
        for column in zip(*lines, strict=True)
    ]
    return [
        "  ".join(line).rstrip()
        for part in _parts(columns, width or sys.maxsize)
        for line in zip(*part, strict=True)
    ]


def _parts(columns: list[list[str]], width: int) -> list[list[list[str]]]:
    """Split columns into groups that fit the width; each begins with the first column."""
    first, *others = columns
    parts = [[first]]
    for column in others:
        used = sum(len(cells[0]) + 2 for cells in parts[-1])
        if used + len(column[0]) > width and len(parts[-1]) > 1:
            parts.append([first])
        parts[-1].append(column)
    return parts


def escape_markdown(text: str) -> str:
    """Put a backslash before every sign that Markdown would interpret."""
    return text.translate({ord(sign): f"\\{sign}" for sign in "\\`*_[]<>|~"})


def csv_text(value: object) -> str:
    """Put ' before text that a spreadsheet would take for a formula."""
    text = clean_text(value) if isinstance(value, str) else ""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        # After a line break, LaTeX would read these two as its arguments.
        "[": "{[}",
        "*": "{*}",
        "±": r"$\pm$",
        "·": r"$\cdot$",
        "Δ": r"$\Delta$",
        "≥": r"$\geq$",
        "…": r"\dots{}",
        "▲": r"$\triangle$",
    }
)


def escape_latex(text: str) -> str:
    """Write every sign so that LaTeX prints it; signs that its usual fonts lack become `?`."""
    known = (sign if sign in _LATEX_SIGNS else "?" for sign in text)
    return re.sub("-(?=-)", "-{}", "".join(known).translate(_LATEX))  # Two would become a dash.


_LATEX_SIGNS = {
    *map(chr, _LATEX),
    *map(chr, range(ord(" "), ord("~") + 1)),
    *"ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ",
}
