"""The stage `retrain`: trains a genotype from scratch."""

import torch

from fairdarts.config import RetrainConfig
from fairdarts.data.sources import load
from fairdarts.genotype.any_genotype import genotype_from_json
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.network.build import build_network
from fairdarts.network.cost import network_cost
from fairdarts.network.retrain import RetrainEpoch, RetrainState, retrain
from orchestrate.errors import Held, TwinFailed
from orchestrate.planning.plan import StageSpec
from orchestrate.stages.history import resume
from orchestrate.stages.images import check_streamed, checked_images
from orchestrate.stages.stage_run import Row, StageResult, StageRun, stage_rows
from orchestrate.stages.state import stage_state
from orchestrate.stages.twins import claim_training
from orchestrate.statuses import Status


def run_retrain(run: StageRun) -> StageResult:
    """Train the genotype of the stage before: one row for each epoch, and one for the result.

    If another stage trains the same genotype in the same way, its rows are copied instead.
    """
    config = RetrainConfig.build(run.stage.config["retrain"], "retrain")
    genotype_json = run.parent_rows("genotypes")[0]["genotype_json"]
    first = claim_training(run.stage, genotype_json, run.store)
    if first != run.stage:
        return _repeat(run, first)
    genotype = genotype_from_json(genotype_json)
    images = load(checked_images(run.stage, run.store, run.attempt))
    train, test = map(run.damaged.noted_of, images)
    history = resume(run)

    def on_epoch(epoch: RetrainEpoch, state: RetrainState) -> None:
        history.commit(epoch, state)

    retrain(
        genotype,
        config,
        train,
        test,
        device=torch.device(run.runtime.device),
        on_epoch=on_epoch,
        on_step=run.on_step,
        checkpoint=history.checkpoint,
        loader_workers=run.runtime.loader_workers,
    )
    check_streamed(run.stage, run.store, run.attempt, train)
    cost = network_cost(build_network(genotype, config, train.num_classes), train.image_size)
    best = _best(history.rows, "test_top1_pct")
    row = {
        "stage_key": run.stage.key,
        "derive_key": run.stage.parent,
        "drop_path_mode": config.drop_path_mode,
        "epochs": config.epochs,
        "test_top1_pct": history.rows[-1]["test_top1_pct"],
        "best_test_top1_pct": best["test_top1_pct"],
        "best_epoch": best["epoch"],
        "params": cost.params,
        "params_with_auxiliary": cost.params_with_auxiliary,
        "multadds": cost.multadds,
        "image_size": train.image_size,
        "image_mean": train.mean,
        "image_std": train.std,
        "class_names": train.class_names,
        "wall_s": sum(row["wall_s"] for row in history.rows),
    }
    if isinstance(genotype, Genotype):
        row |= {"init_channels": config.init_channels, "num_cells": config.num_cells}
    if config.num_validation:
        chosen = _best(history.rows, "val_top1_pct")
        row |= {"val_test_top1_pct": chosen["test_top1_pct"], "val_epoch": chosen["epoch"]}
    run.write_rows("retrains", [row])
    return StageResult()


def _best(rows: list[Row], column: str) -> Row:
    """The row with the highest value; of several, the first."""
    return max(rows, key=lambda row: row[column])


def _repeat(run: StageRun, first: StageSpec) -> StageResult:
    """Copy the rows of the stage that trained the same genotype in the same way.

    Raises:
        TwinFailed: If that stage has failed.
        Held: If it is not finished.
    """
    state = stage_state(run.store.stage_dir(first.kind, first.key))
    if state.status == Status.FAILED:
        raise TwinFailed(f"stage {first.key} trains the same genotype and failed: {state.reason}")
    if state.status != Status.DONE:
        raise Held(f"stage {first.key} trains the same genotype and is not done")
    own: Row = {"stage_key": run.stage.key}
    epochs = stage_rows(run.store, "epochs", first.key)
    run.write_rows("epochs", [row | own | {"attempt": run.attempt.number} for row in epochs])
    own |= {"derive_key": run.stage.parent, "trained_as": first.key}
    retrains = stage_rows(run.store, "retrains", first.key)
    run.write_rows("retrains", [row | own for row in retrains])
    run.attempt.log(f"stage {first.key} trained the same genotype: its rows are copied")
    return StageResult()
