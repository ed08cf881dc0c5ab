"""A search of a few epochs whose reports and saved states are kept for comparison."""

from dataclasses import dataclass, replace

import torch
from random_images import random_images

from fairdarts.config import SearchConfig
from fairdarts.search.loop import SearchEpoch, search
from fairdarts.search.state import SearchState


@dataclass(frozen=True)
class RecordedSearch:
    """What a search reported, without wall times, and the state it saved after each epoch."""

    epochs: list[SearchEpoch]
    saved: list[bytes]


def recorded_search(
    config: SearchConfig, image_size: int, checkpoint: bytes | None = None
) -> RecordedSearch:
    """Search on 5 images for the weights (one batch of 4 a pass) and 6 for the alphas (two)."""
    record = RecordedSearch([], [])

    def on_epoch(epoch: SearchEpoch, state: SearchState) -> None:
        record.epochs.append(replace(epoch, wall_s=0))
        record.saved.append(state.to_bytes())

    search(
        config,
        random_images(11, image_size),
        device=torch.device("cpu"),
        on_epoch=on_epoch,
        checkpoint=checkpoint,
    )
    return record
