"""The stage `search`: one row an epoch, with all alphas in full precision."""

import math

import torch

from fairdarts.config import SearchConfig
from fairdarts.data.sources import load_train
from fairdarts.genotype.dominance import count_dominant
from fairdarts.search.loop import SearchEpoch, search
from fairdarts.search.state import SearchState
from fairdarts.spaces import get_space
from orchestrate.stages.history import resume
from orchestrate.stages.images import check_streamed, checked_images
from orchestrate.stages.stage_run import StageResult, StageRun


def run_search(run: StageRun) -> StageResult:
    """Search for an architecture: one row for each epoch, with all alphas in full precision."""
    config = SearchConfig.build(run.stage.config["search"], "search")
    images = load_train(checked_images(run.stage, run.store, run.attempt))
    train = run.damaged.noted_of(images)
    history = resume(run)
    space = get_space(config.space)

    def on_epoch(epoch: SearchEpoch, state: SearchState) -> None:
        counts: tuple[int | None, int | None] = (None, None)  # Of a search that diverges.
        if all(map(math.isfinite, epoch.gates)):
            counts = count_dominant(epoch.gates, config.relaxation, space)
        history.commit(
            epoch,
            state,
            alphas=epoch.alphas,
            gates=epoch.gates,
            num_dominant=counts[0],
            num_dominant_skip=counts[1],
            stopping_value=epoch.stopping_value,
            chosen_epoch=epoch.chosen_epoch,
        )

    search(
        config,
        train,
        device=torch.device(run.runtime.device),
        on_epoch=on_epoch,
        on_step=run.on_step,
        checkpoint=history.checkpoint,
        loader_workers=run.runtime.loader_workers,
    )
    check_streamed(run.stage, run.store, run.attempt, train)
    return StageResult()
