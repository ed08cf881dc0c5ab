"""The table and the JSON file, written anew after every reading."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.gpu.parts import Part
from benchmarks.gpu.readings import Reading

HEAD = ("part", "what", "reading", "kernels", "busy", "peak", "remarks")


def write(folder: Path, environment: dict[str, str], parts: Sequence[Part]) -> None:
    """Write `gpu.md` and `gpu.json` into the folder, whole or not at all."""
    content = {"environment": environment, "parts": [asdict(part) for part in parts]}
    _write_whole(folder / "gpu.json", json.dumps(content, indent=1) + "\n")
    _write_whole(folder / "gpu.md", page(environment, parts))


def page(environment: dict[str, str], parts: Sequence[Part]) -> str:
    """One line that says what was measured, and one table."""
    rows = [HEAD, tuple("---" for _ in HEAD)]
    for part in parts:
        rows += [_row(part.name, reading) for reading in part.readings]
        if part.status != "done":
            reason = f"{part.status}: {part.reason}" if part.reason else part.status
            rows.append((part.name, "", "", "", "", "", reason))
    table = "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in rows)
    what = ", ".join(f"{name} {value}" for name, value in environment.items())
    return f"{what}\n\n{table}\n"


def _row(part: str, reading: Reading) -> tuple[str, ...]:
    return (
        part,
        reading.what,
        "" if reading.value is None else f"{_digits(reading.value)} {reading.unit}",
        "" if reading.kernels is None else f"{reading.kernels:,}",
        "" if reading.busy_pct is None else f"{reading.busy_pct:.0f} %",
        "" if reading.peak_gib is None else f"{reading.peak_gib:.1f} GiB",
        reading.note,
    )


def _digits(value: float) -> str:
    """Three significant digits, or all of a large number."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _write_whole(path: Path, content: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(content, "utf-8")
    beside.replace(path)
