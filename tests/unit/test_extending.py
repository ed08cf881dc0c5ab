"""The worked example of docs/extending.md runs as it stands, from a class to a row of the table."""

import re

from repository import ROOT

from fairdarts.cures import PERTURBATIONS
from fairdarts.presets import METHODS
from fairdarts.supernet.perturbation import PERTURBATION_CLASSES

PAGE = ROOT / "docs" / "extending.md"


def test_the_worked_example_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    try:
        for block in blocks:
            exec(block, names)
    finally:
        del PERTURBATIONS["pool_noise"], PERTURBATION_CLASSES["pool_noise"]
        METHODS.pop("darts-pool-noise", None)
