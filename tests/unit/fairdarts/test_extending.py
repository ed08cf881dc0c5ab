"""The worked example of docs/extending.md runs as it stands."""

import re

from repository import ROOT

from fairdarts.supernet.perturbation import PERTURBATIONS

PAGE = ROOT / "docs" / "extending.md"


def test_the_worked_example_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    try:
        for block in blocks:
            exec(block, names)
    finally:
        del PERTURBATIONS["pool_noise"]
