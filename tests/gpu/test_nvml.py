"""What the driver says of the GPU, against what CUDA says of it."""

import pytest
import torch
from tiny_sweeps import tiny_trials

from orchestrate.running import busy
from orchestrate.stages.nvml import busy_pct, energy_j, memories

pytestmark = pytest.mark.gpu


def test_the_driver_knows_the_memory_that_cuda_shows(cuda: torch.device) -> None:
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    shown = torch.cuda.get_device_properties(cuda).total_memory
    # CUDA keeps a little for itself.
    assert any(shown <= memory <= 1.1 * shown for memory in memories())


def test_energy_only_grows_and_a_share_is_one_of_hundred(cuda: torch.device) -> None:
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    before, share = energy_j(), busy_pct()
    torch.ones(1, device=cuda).item()
    after = energy_j()
    if before is None or after is None:
        pytest.skip("the driver does not count the energy of this GPU")
    assert 0 < before <= after
    assert share is None or 0 <= share <= 100


@pytest.mark.parametrize("kind", ["search", "retrain"])
def test_steps_of_a_trial_keep_the_gpu_busy(kind: str, cuda: torch.device) -> None:
    (trial,) = tiny_trials()
    share = busy.busy_pct(trial, kind)
    if share is None:
        pytest.skip("the driver does not tell how busy this GPU is")
    assert 0 < share <= 100
