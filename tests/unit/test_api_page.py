"""The notebook of docs/api.md runs as it stands, and says what it prints."""

import re
from pathlib import Path

import pytest
from repository import ROOT
from small_sweep import write_example

from results.store.store import Store

PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_snippets_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_example(Store.create(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in BLOCKS:
        exec(block, names)

    out = capsys.readouterr().out
    assert "epochs (=0) should be greater than or equal to 1." in out
    assert "40 20 8 10" in out
    assert "params=2360782" in out and "multadds=371455200" in out
    assert "| fairdarts w=10 | 3 of " in out


def test_every_module_of_the_table_is_used() -> None:
    (table,) = re.findall(r"\| to \| import from \|\n(.*?)\n\n", PAGE, re.DOTALL)
    modules = re.findall(r"`([a-z_.]+)`", table)
    assert modules
    for module in modules:
        assert re.search(rf"(from|import) {re.escape(module)}\b", "\n".join(BLOCKS)), module
