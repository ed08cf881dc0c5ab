"""What only a CUDA device can show; run by `pytest -m gpu`."""

import pytest
import torch

from fairdarts.config import SearchConfig
from fairdarts.data.images import ImageSet
from fairdarts.search.loop import search
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step
from fairdarts.training.capture import CapturedStep

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def config(**changes: object) -> SearchConfig:
    small = {"init_channels": 8, "num_cells": 4, "batch_size": 16, "epochs": 2}
    return SearchConfig.build(small | changes)


def test_a_captured_step_computes_what_the_eager_one_does() -> None:
    losses: dict[bool, list[list[float]]] = {}
    for cuda_graph in (False, True):
        setting = config(cuda_graph=cuda_graph)
        state = SearchState(setting, 10, torch.device("cuda"))

        def step(
            train: tuple[torch.Tensor, torch.Tensor],
            val: tuple[torch.Tensor, torch.Tensor],
            state: SearchState = state,
            setting: SearchConfig = setting,
        ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
            return search_step(state, train, val, setting)

        take_step = CapturedStep(step) if cuda_graph else step
        draw = torch.Generator("cuda").manual_seed(0)
        losses[cuda_graph] = []
        for size in (16, 16, 16, 16, 16, 8, 16):
            images = torch.randn(2, size, 3, 32, 32, generator=draw, device="cuda")
            labels = torch.randint(10, (2, size), generator=draw, device="cuda")
            metrics = take_step((images[0], labels[0]), (images[1], labels[1]))
            losses[cuda_graph].append([metric.item() for group in metrics for metric in group])
    for eager, captured in zip(losses[False], losses[True], strict=True):
        assert captured == pytest.approx(eager, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("cuda_graph", [False, True])
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_the_steps_of_an_epoch_never_wait_for_the_gpu(precision: str, cuda_graph: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    images = ImageSet(
        torch.randint(256, (130, 3, 32, 32), dtype=torch.uint8, generator=draw),
        torch.randint(10, (130,), generator=draw),
        tuple("abcdefghij"),
        (0.5,) * 3,
        (0.25,) * 3,
        mirror=True,
    )
    epochs = []
    # Reading the epoch's means is the one wait, and `warn` lets it pass.
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with pytest.warns(UserWarning, match="synchroniz") as waits:
            search(
                config(precision=precision, cuda_graph=cuda_graph, epochs=3),
                images,
                device=torch.device("cuda"),
                on_epoch=lambda epoch, _: epochs.append((epoch, len(waits))),
            )
    finally:
        torch.cuda.set_sync_debug_mode("default")
    counts = [count for _, count in epochs]
    assert counts[2] - counts[1] <= 12, "more waits in an epoch than its report needs"
