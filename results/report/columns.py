"""The columns of the aggregated table for reading, and the text of their cells."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.text import clean_text

INCOMPLETE = "▲"
NOTHING = "-"

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Shown:
    """One column."""

    header: str
    cell: Callable[[Row], str]
    optional: bool = False
    """Left out of a block in which no row has it."""


def words(value: object) -> str:
    """Text of a run without control characters."""
    return (clean_text(value) if isinstance(value, str) else "") or NOTHING


def is_printed(row: Row) -> bool:
    """Whether a row is a number that the paper prints."""
    return isinstance(row.get("source"), str)


def mean_std(mean: float, std: float = math.nan, decimals: int | None = None) -> str:
    """Mean and spread; `decimals` None gives three significant digits of the mean."""
    if not _known(mean):
        return NOTHING
    if decimals is None:
        magnitude = math.floor(math.log10(abs(mean))) if mean else 0
        decimals = min(max(2 - magnitude, 0), 6)
    text = f"{mean:.{decimals}f}"
    return f"{text} ± {std:.{decimals}f}" if _known(std) else text


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and not math.isnan(value)


def _interval(row: Row, low: str, high: str, sign: str = "") -> str:
    if not (_known(row.get(low)) and _known(row.get(high))):
        return NOTHING
    return f"[{row[low]:{sign}.2f}, {row[high]:{sign}.2f}]"


def _number(name: str, form: str) -> Callable[[Row], str]:
    return lambda row: format(row[name], form) if _known(row.get(name)) else NOTHING


def _measure(name: str, decimals: int | None = None, spread: bool = True) -> Callable[[Row], str]:
    return lambda row: mean_std(
        row.get(f"{name}_mean", math.nan),
        row.get(f"{name}_std", math.nan) if spread else math.nan,
        decimals,
    )


def _searches(row: Row) -> str:
    if is_printed(row):
        return f"{row['n']:.0f}" if _known(row["n"]) else NOTHING
    return f"{row['n']:.0f} of {row['planned_searches']:.0f}"


def _trials(row: Row) -> str:
    if is_printed(row):
        return NOTHING
    planned = f"{row['num_ok']} of {row['planned']}"
    return planned if row["complete"] else f"{planned} {INCOMPLETE}"


def _count(name: str) -> Callable[[Row], str]:
    return lambda row: NOTHING if is_printed(row) else str(row[name])


def _skips(row: Row) -> str:
    """Skips of the normal cell, or in S2 layers with a skip; a row has one of the two numbers."""
    in_layers = row.get("num_skips_layers_mean", math.nan)
    in_cell = row.get("num_skips_normal_mean", math.nan)
    return mean_std(in_layers if _known(in_layers) else in_cell, decimals=1)


def _retrain_spread(row: Row) -> str:
    std = row.get("top1_pct_retrain_std")
    return f"{std:.2f}" if _known(std) and std is not None else NOTHING


def _test(row: Row) -> str:
    test = row.get("test")
    if not isinstance(test, str):
        return NOTHING
    return f"{test}, {row['num_pairs']} pairs" if row["num_pairs"] else test


SHOWN = (
    Shown("Method", lambda row: words(row["group_label"])),
    Shown("n searches", _searches),
    Shown("ok trials", _trials),
    Shown("Failed", _count("num_failed")),
    Shown("Invalid", _count("num_invalid")),
    Shown("Top-1 (%)", _measure("top1_pct", 2)),
    Shown("95% interval", lambda row: _interval(row, "top1_pct_low", "top1_pct_high"), True),
    Shown("IQM (%)", _number("top1_pct_iqm", ".2f"), True),
    Shown("± retrain", _retrain_spread, True),
    Shown("Δ", _number("difference", "+.2f"), True),
    Shown(
        "95% interval of Δ",
        lambda row: _interval(row, "difference_low", "difference_high", "+"),
        True,
    ),
    Shown("RI (%)", _number("random_improvement_pct", "+.2f"), True),
    Shown("p", _number("p", ".3f"), True),
    Shown("p Holm", _number("p_holm", ".3f"), True),
    Shown("P(A > B)", _number("outperforms", ".2f"), True),
    Shown("Test", _test, True),
    Shown("Params (M)", _measure("params_m")),
    Shown("MultAdds (M)", _measure("multadds_m")),
    Shown("Skips", _skips),
    Shown("Dominant", _measure("dominant", 1), True),
    Shown("of these skips", _measure("dominant_skips", 1), True),
    Shown("Gates at 0 or 1 (%)", _measure("polarised_pct", 1), True),
    Shown("Search (s)", _measure("search_s", spread=False)),
    Shown("Retrain (s)", _measure("retrain_s", spread=False)),
    Shown("Top-5 (%)", _number("test_top5_pct", ".1f"), True),
    Shown("Search (GPU days)", _number("search_gpu_days", "g"), True),
    Shown("Printed in", lambda row: words(row.get("source")), True),
)


def cells(rows: Sequence[Row]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Header and cells of a block, without the optional columns that it has no value for."""
    columns = [(column, [column.cell(row) for row in rows]) for column in SHOWN]
    kept = [
        (column.header, texts)
        for column, texts in columns
        if not column.optional or any(text != NOTHING for text in texts)
    ]
    return [header for header, _ in kept], list(zip(*(texts for _, texts in kept), strict=True))
