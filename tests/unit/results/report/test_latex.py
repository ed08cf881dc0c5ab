"""The LaTeX of tables goes through a real engine, where there is one with booktabs."""

import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest

from results.query.aggregate import aggregate
from results.query.outcomes import trial_outcomes
from results.query.presets import PRESETS, add_printed
from results.query.versus import add_versus
from results.report.render import render
from results.report.rows import render_rows
from results.store.store import Store

TEXT = r"50 % of {a_b} & c#d ~ ^ \x $5 <i> [z] * | ± Δ ≥ … · ▲ é 世 😀 `q' --"


def has_engine() -> bool:
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return False
    return not subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode


@pytest.mark.skipif(not has_engine(), reason="needs pdflatex with booktabs")
def test_tables_of_every_kind_compile(example: Store, tmp_path: Path) -> None:
    outcomes = trial_outcomes(example)
    table = add_versus(aggregate(outcomes), outcomes, "random")
    table["group_label"] = TEXT
    table["notes"] = [(TEXT,)] * len(table)
    tables = [render(add_printed(table, PRESETS[name]), "latex") for name in ("table1", "table2")]
    tables.append(render_rows(pa.table({TEXT: [TEXT], "x": [1.5]}), "latex").decode())
    body = "\n\n".join(tables)
    document = "\n".join(
        [r"\documentclass{article}\usepackage{booktabs}\begin{document}", body, r"\end{document}"]
    )
    (tmp_path / "tables.tex").write_text(document, "utf-8")

    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")

    assert ended.returncode == 0, ended.stdout[-2000:]
    assert (tmp_path / "tables.pdf").stat().st_size
