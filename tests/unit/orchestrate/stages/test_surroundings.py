"""A stage finds its process as the first one did, whatever the one before did to it."""

import logging
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from one_stage import compute
from repository import SUPPORT

from orchestrate.stages.surroundings import own_surroundings
from results.store.store import Store

ONE_STAGE = SUPPORT / "one_stage.py"
NOT_REPEATABLE = {"attempt", "wall_s", "images_per_s", "written_at"}


def found() -> dict[str, Any]:
    """What a stage can see of its process and compute with."""
    backends: Any = torch.backends
    logger = logging.getLogger("fairdarts.some")
    return {
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "random": random.random(),
        "numpy": np.random.random(),
        "torch": torch.rand(1).item(),
        "threads": torch.get_num_threads(),
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "cudnn": (backends.cudnn.benchmark, backends.cudnn.deterministic),
        "precision": backends.mkldnn.matmul.fp32_precision,
        "logger": (logger.level, logger.handlers, logger.disabled, logger.propagate),
        "warnings": list(warnings.filters),
    }


def spoil(folder: Path) -> None:
    """Change everything that a careless library could."""
    os.environ["OMP_NUM_THREADS"] = "7"
    os.environ.pop("PATH")
    os.chdir(folder)
    os.umask(0)
    torch.set_num_threads(2 + torch.get_num_threads())
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = True
    backends: Any = torch.backends
    backends.mkldnn.matmul.fp32_precision = "bf16"
    logger = logging.getLogger("fairdarts.some")
    logger.setLevel(logging.CRITICAL)
    logger.addHandler(logging.NullHandler())
    logger.disabled = True
    logging.getLogger("fairdarts.new").setLevel(logging.CRITICAL)
    warnings.simplefilter("error")


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_stage_changes_in_its_process_is_as_before_afterwards(
    tmp_path: Path, fails: bool
) -> None:
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    before = found()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    umask = os.umask(0o022)
    try:
        try:
            with own_surroundings(0o027):
                spoil(tmp_path)
                if fails:
                    raise ValueError("no luck")
        except ValueError:
            assert fails
        assert found() == before
        assert logging.getLogger("fairdarts.new").level == logging.NOTSET
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)


def test_a_stage_has_the_umask_of_the_user(tmp_path: Path) -> None:
    with own_surroundings(0o027):
        (tmp_path / "file").touch()
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_files_that_a_stage_left_open_are_closed() -> None:
    def leave_open() -> None:
        around: list[Any] = [Path(__file__).open()]  # noqa: SIM115
        around.append(around)  # A circle: only the collector of garbage finds it.

    files = Path("/proc/self/fd")
    if not files.is_dir():
        pytest.skip("needs /proc")
    before = len(list(files.iterdir()))
    with own_surroundings(0o022), pytest.warns(ResourceWarning):
        warnings.simplefilter("always")
        leave_open()
        import gc

        gc.collect()
    assert len(list(files.iterdir())) == before


def test_two_different_stages_in_one_process_give_the_bits_of_two_processes(
    tmp_path: Path,
) -> None:
    here, alone = Store.create(tmp_path / "here"), Store.create(tmp_path / "alone")
    for name in ("first", "second"):
        compute(here, name)
    subprocess.run([sys.executable, str(ONE_STAGE), str(alone.root), "second"], check=True)
    assert rows(here)[-1:] == rows(alone) != rows(here)[:1]


def rows(store: Store) -> list[dict[str, Any]]:
    found = store.read("epochs").sort_by("written_at")
    return [
        {name: value for name, value in row.items() if name not in NOT_REPEATABLE}
        for row in found.to_pylist()
    ]
