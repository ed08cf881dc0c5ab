"""The worked example of docs/extending.md runs as it stands, from a class to the printed table."""

import re
from pathlib import Path

import pytest
from repository import ROOT

from fairdarts.cures import PERTURBATIONS
from fairdarts.operations.cell_operations import OPERATIONS
from fairdarts.presets import METHODS
from fairdarts.spaces import SPACES
from fairdarts.supernet.perturbation import PERTURBATION_CLASSES
from fairdarts.supernet.stacked_ops import SEPARATE
from orchestrate.planning.plan import num_trials
from orchestrate.planning.sweep_file import load_sweep

PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
REGISTRIES = (PERTURBATIONS, PERTURBATION_CLASSES, METHODS, OPERATIONS, SEPARATE, SPACES)


def test_the_worked_example_runs_and_its_sweep_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    file = tmp_path / "pool_noise.toml"
    file.write_text(*re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL), "utf-8")
    before = [dict(registry) for registry in REGISTRIES]
    names: dict[str, object] = {}
    try:
        for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
            exec(block, names)
        assert num_trials(load_sweep(str(file))) == 2
    finally:
        for registry, entries in zip(REGISTRIES, before, strict=True):
            for name in registry.keys() - entries.keys():
                del registry[name]

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("darts-")]
    printed = re.findall(r"^darts-.*", PAGE, re.MULTILINE)
    # What a run took, and how well it did, are not for a test; what it is, is.
    assert [line.split()[:5] for line in lines] == [line.split()[:5] for line in printed]
    assert len(lines) == 2
