"""The tests of the kernels, by Triton's interpreter: it must be chosen before they are imported."""

import os
import subprocess
import sys

import pytest
from repository import ROOT

from fairdarts.kernels.engine import HAS_TRITON


@pytest.mark.skipif(not HAS_TRITON, reason="Triton comes with torch for CUDA on Linux only")
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    "chosen", ["not slow and not gpu", pytest.param("slow and not gpu", marks=pytest.mark.slow)]
)
def test_kernels_pass_their_tests_in_the_interpreter(chosen: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0", "-m", chosen]
    result = subprocess.run(
        [*command, "tests/kernels"],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-5000:]
    assert "100%" in result.stdout  # some were chosen
    assert "skipped" not in result.stdout
