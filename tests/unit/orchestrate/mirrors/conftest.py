from pathlib import Path

import pytest
from mirrored_sweep import MirroredSweep


@pytest.fixture
def sweep(tmp_path: Path) -> MirroredSweep:
    return MirroredSweep(tmp_path)
