import pytest
import torch
from torch import Tensor

from fairdarts.config import SearchConfig
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step


def config(**changes: object) -> SearchConfig:
    return SearchConfig.build({"init_channels": 4, "num_cells": 4, "batch_size": 4} | changes)


def state_after_two_steps(config: SearchConfig) -> dict[str, Tensor]:
    state = SearchState(config, 10, torch.device("cpu"))
    state.supernet.train()
    draw = torch.Generator().manual_seed(0)
    for _ in range(2):
        images = torch.randn(2, 4, 3, 16, 16, generator=draw)
        labels = torch.randint(10, (2, 4), generator=draw)
        search_step(state, (images[0], labels[0]), (images[1], labels[1]), config)
    return state.supernet.state_dict()


@pytest.mark.parametrize("channels_last", [True, False])
def test_recomputed_cells_give_the_same_bits_running_statistics_included(
    channels_last: bool,
) -> None:
    kept = state_after_two_steps(config(channels_last=channels_last))
    recomputed = state_after_two_steps(config(channels_last=channels_last, recompute=True))
    names = [name for name in kept if not name.endswith("num_batches_tracked")]  # nothing reads it
    assert [name for name in names if not torch.equal(kept[name], recomputed[name])] == []


def test_recomputed_cells_keep_little_for_the_gradient() -> None:
    def kept_bytes(recompute: bool) -> int:
        supernet = SearchState(config(recompute=recompute), 10, torch.device("cpu")).supernet
        parameters = {weight.untyped_storage().data_ptr() for weight in supernet.parameters()}
        kept: dict[int, int] = {}

        def remember(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in parameters:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
            logits = supernet(torch.randn(4, 3, 16, 16), supernet.gates())
        assert logits.requires_grad
        return sum(kept.values())

    assert kept_bytes(recompute=True) < 0.1 * kept_bytes(recompute=False)
