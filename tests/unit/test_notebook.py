"""The example notebook runs, cell by cell."""

import json
from pathlib import Path

import pytest
from notebook import run_notebook
from repository import ROOT
from small_sweep import write_example

from results.store.store import Store

NOTEBOOK = ROOT / "examples" / "results.ipynb"


def test_every_cell_of_the_notebook_runs_and_shows_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_example(Store.create(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)

    cells = [cell for cell in run_notebook(NOTEBOOK)["cells"] if cell["cell_type"] == "code"]

    assert all(cell["outputs"] for cell in cells)


def test_the_notebook_is_stored_with_its_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell["outputs"] for cell in cells)
