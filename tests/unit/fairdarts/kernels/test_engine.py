"""When which engine computes a step."""

import pytest
import torch

from fairdarts.config import SearchConfig
from fairdarts.kernels.engine import HAS_TRITON
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step

META = torch.device("meta")  # where the kernels are taken, and compute nothing


@pytest.mark.skipif(not HAS_TRITON, reason="Triton comes with torch for CUDA on Linux only")
@pytest.mark.parametrize(("kernels", "launched"), [(None, True), (False, False)])
def test_kernels_are_used_unless_they_are_turned_off(kernels: bool | None, launched: bool) -> None:
    from fairdarts.kernels.launch import Launch, launches

    config = SearchConfig(num_cells=3, batch_size=2, optimization="single_level", kernels=kernels)
    state = SearchState(config, 10, META)
    state.supernet.train()
    images = torch.empty(2, 3, 8, 8, device=META)
    batch = images, torch.empty(2, dtype=torch.int64, device=META)
    found: list[Launch] = []
    with launches(found.append):
        search_step(state, batch, batch, config)
    assert bool(found) == launched
