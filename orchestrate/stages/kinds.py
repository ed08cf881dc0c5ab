"""What each kind of stage computes, and the rows it records.

A stage reads its parent's rows, calls one plain function of `fairdarts`, and writes its own rows:
after every epoch the row first, the checkpoint second, so that no epoch is ever in a checkpoint
and not in the table.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch

from fairdarts.config import (
    DeriveConfig,
    RetrainConfig,
    SampleConfig,
    SearchConfig,
)
from fairdarts.data.sources import load, load_train
from fairdarts.errors import DataError
from fairdarts.genotype.any_genotype import (
    AnyGenotype,
    derive_epochs,
    genotype_from_dict,
    genotype_from_json,
)
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.genotype.dominance import count_dominant
from fairdarts.genotype.sampling import sample
from fairdarts.network.build import build_network
from fairdarts.network.cost import network_cost
from fairdarts.network.retrain import RetrainEpoch, RetrainState, retrain
from fairdarts.search.loop import SearchEpoch, search
from fairdarts.search.state import SearchState
from fairdarts.spaces import get_space
from orchestrate.errors import Diverged, Held, TwinFailed
from orchestrate.planning.plan import StageSpec
from orchestrate.stages.checkpoints import load_checkpoint, save_checkpoint
from orchestrate.stages.images import check_streamed, checked_images
from orchestrate.stages.lease import Attempt, stage_state
from orchestrate.stages.runtime import Runtime
from orchestrate.stages.twins import claim_training
from results.errors import DamagedFile
from results.store.layout import live_name
from results.store.store import Store

Row = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How a stage ended."""

    status: str = "ok"
    """ok, or invalid: a genotype that no network can be built from."""
    reason: str = ""


@dataclass
class StageRun:
    """One attempt at one stage, with all it needs."""

    stage: StageSpec
    store: Store
    attempt: Attempt
    runtime: Runtime
    on_epoch: Callable[[], None]
    """Called after every committed epoch."""
    resumed_from_epoch: int | None = None
    bitwise: bool | None = None

    def write_rows(self, table: str, rows: list[Row]) -> None:
        """Commit this attempt's rows of a table, and drop those of earlier attempts."""
        key, number = self.stage.key, self.attempt.number
        self.attempt.check()
        self.store.write_rows(table, live_name(key, number), rows)
        if number > 1:
            self.store.supersede(table, key, number)

    def parent_rows(self, table: str) -> list[Row]:
        """The rows that the parent stage left."""
        parent = self.stage.parent
        assert parent is not None
        rows = _stage_rows(self.store, table, parent)
        if not rows:
            raise DataError(
                f"the {table} rows of stage {parent} are gone though it is done: delete its "
                "DONE.json and run the sweep again."
            )
        return rows


def derived_genotype(stage: StageSpec, store: Store) -> str | None:
    """JSON of the genotype that a retrain stage trains; None if it cannot be read."""
    try:
        rows = _stage_rows(store, "genotypes", stage.parent or "")
    except DamagedFile:
        return None  # The stage itself will say so, in its log and its rows.
    return rows[0]["genotype_json"] if rows else None


def _stage_rows(store: Store, table: str, key: str) -> list[Row]:
    rows: list[Row] = store.read(table, [key]).to_pylist()
    return rows


def run_search(run: StageRun) -> Outcome:
    """The search: one row an epoch, with all alphas in full precision."""
    config = SearchConfig.build(run.stage.config["search"], "search")
    train = load_train(checked_images(run.stage, run.store, run.attempt))
    history = _History(run)
    space = get_space(config.space)

    def on_epoch(epoch: SearchEpoch, state: SearchState) -> None:
        num_dominant, num_skips = count_dominant(epoch.gates, config.relaxation, space)
        history.commit(
            epoch,
            state,
            alphas=epoch.alphas,
            gates=epoch.gates,
            num_dominant=num_dominant,
            num_dominant_skip=num_skips,
            stopping_value=epoch.stopping_value,
            chosen_epoch=epoch.chosen_epoch,
        )

    search(
        config,
        train,
        device=torch.device(run.runtime.device),
        on_epoch=on_epoch,
        checkpoint=history.checkpoint,
        loader_workers=run.runtime.loader_workers,
    )
    check_streamed(run.stage, run.store, run.attempt, train)
    return Outcome()


def run_derive(run: StageRun) -> Outcome:
    """The genotype of the last epoch, or of the one that a stopping rule chose.

    Beside it stands for how many epochs it had been that.
    """
    config = DeriveConfig.build(
        {name: value for name, value in run.stage.config.items() if name != "space"}, "derive"
    )
    space = get_space(run.stage.config["space"])
    epochs = sorted(run.parent_rows("epochs"), key=lambda row: row["epoch"])
    chosen = epochs[-1]["chosen_epoch"]
    epochs = epochs[: None if chosen is None else chosen + 1]
    last, stable = derive_epochs([row["gates"] for row in epochs], config, space)
    row = {
        "search_key": run.stage.parent,
        "rule": config.rule,
        "op_threshold": run.stage.config.get("op_threshold"),
        "stable_epochs": stable,
        "epoch": epochs[-1]["epoch"],
    }
    row |= {f"margin_{part}": margin for part, margin in last.margins.items()}
    return _record_genotype(run, last.genotype, last.pruned, row)


def run_sample(run: StageRun) -> Outcome:
    """A random genotype."""
    genotype = sample(SampleConfig.build(run.stage.config, "random"))
    return _record_genotype(run, genotype, genotype.pruned(), {})


def run_given(run: StageRun) -> Outcome:
    """A genotype that a person named."""
    genotype = genotype_from_dict(run.stage.config["genotype"])
    return _record_genotype(run, genotype, genotype.pruned(), {})


def run_retrain(run: StageRun) -> Outcome:
    """Training from scratch: one row an epoch, and one with what came of it."""
    config = RetrainConfig.build(run.stage.config["retrain"], "retrain")
    genotype_json = run.parent_rows("genotypes")[0]["genotype_json"]
    first = claim_training(run.stage, genotype_json, run.store)
    if first != run.stage:
        return _repeat(run, first)
    genotype = genotype_from_json(genotype_json)
    train, test = load(checked_images(run.stage, run.store, run.attempt))
    history = _History(run)

    def on_epoch(epoch: RetrainEpoch, state: RetrainState) -> None:
        history.commit(epoch, state)

    retrain(
        genotype,
        config,
        train,
        test,
        device=torch.device(run.runtime.device),
        on_epoch=on_epoch,
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
        "wall_s": sum(row["wall_s"] for row in history.rows),
    }
    if isinstance(genotype, Genotype):
        row |= {"init_channels": config.init_channels, "num_cells": config.num_cells}
    if config.num_validation:
        chosen = _best(history.rows, "val_top1_pct")
        row |= {"val_test_top1_pct": chosen["test_top1_pct"], "val_epoch": chosen["epoch"]}
    run.write_rows("retrains", [row])
    return Outcome()


def _best(rows: list[Row], column: str) -> Row:
    """The first of the rows that have the highest value."""
    return max(rows, key=lambda row: row[column])


def _repeat(run: StageRun, first: StageSpec) -> Outcome:
    """Take over the rows of the stage that trained the same genotype in the same way."""
    state = stage_state(run.store.stage_dir(first.kind, first.key))
    if state.status == "failed":
        raise TwinFailed(f"stage {first.key} trains the same genotype and failed: {state.reason}")
    if state.status != "done":
        raise Held(f"stage {first.key} trains the same genotype and is not done")
    own: Row = {"stage_key": run.stage.key}
    epochs = _stage_rows(run.store, "epochs", first.key)
    run.write_rows("epochs", [row | own | {"attempt": run.attempt.number} for row in epochs])
    own |= {"derive_key": run.stage.parent, "trained_as": first.key}
    retrains = _stage_rows(run.store, "retrains", first.key)
    run.write_rows("retrains", [row | own for row in retrains])
    run.attempt.log(f"stage {first.key} trained the same genotype: its rows are taken over")
    return Outcome()


STAGES: dict[str, Callable[[StageRun], Outcome]] = {
    "search": run_search,
    "derive": run_derive,
    "sample": run_sample,
    "given": run_given,
    "retrain": run_retrain,
}
"""What runs a stage, by kind."""


class _History:
    """The epochs of a stage: those of earlier attempts up to the checkpoint, then ours."""

    def __init__(self, run: StageRun) -> None:
        self.run = run
        self.rows: list[Row] = []
        self.checkpoint: bytes | None = None
        found = load_checkpoint(run.attempt.stage_dir, run.attempt.log)
        if found is None:
            return
        earlier = self._earlier_rows(found.epoch)
        if len(earlier) < found.epoch:
            run.attempt.log("rows of earlier epochs are missing or damaged: starting over")
            return
        self.rows = earlier
        self.checkpoint = found.content
        run.resumed_from_epoch = found.epoch - 1
        run.bitwise = found.bitwise_key == run.runtime.bitwise_key()
        run.attempt.log(f"resuming after epoch {found.epoch - 1}")
        if not run.bitwise:
            run.attempt.log(
                f"the checkpoint was made with {found.bitwise_key}, this is "
                f"{run.runtime.bitwise_key()}: the result may differ in the last bits"
            )
        run.write_rows("epochs", self.rows)

    def _earlier_rows(self, num_epochs: int) -> list[Row]:
        try:
            rows = _stage_rows(self.run.store, "epochs", self.run.stage.key)
        except DamagedFile as error:
            self.run.attempt.log(str(error))
            return []
        return [row for row in rows if row["epoch"] < num_epochs]

    def commit(
        self, epoch: SearchEpoch | RetrainEpoch, state: SearchState | RetrainState, **extra: Any
    ) -> None:
        """Record an epoch: its row, then the checkpoint, then whoever watches."""
        run = self.run
        row = {
            "stage_key": run.stage.key,
            "kind": run.stage.kind,
            "attempt": run.attempt.number,
            "epoch": epoch.epoch,
            "lr": epoch.lr,
            "wall_s": epoch.wall_s,
            "images_per_s": epoch.num_images / epoch.wall_s,
            "written_at": datetime.now(UTC),
        }
        self.rows.append(row | epoch.metrics | extra)
        run.write_rows("epochs", self.rows)
        metrics = " ".join(f"{name} {value:.4g}" for name, value in epoch.metrics.items())
        run.attempt.log(f"epoch {epoch.epoch} {metrics} wall_s {epoch.wall_s:.1f}")
        if not math.isfinite(epoch.metrics["train_loss"]):
            raise Diverged(
                f"the training loss is {epoch.metrics['train_loss']} in epoch {epoch.epoch}"
            )
        save_checkpoint(run.attempt, state.epoch, state.to_bytes(), run.runtime.bitwise_key())
        run.on_epoch()


def _record_genotype(
    run: StageRun, genotype: AnyGenotype, pruned: AnyGenotype, row: Row
) -> Outcome:
    reason = pruned.invalid_reason()
    row |= {
        "stage_key": run.stage.key,
        "kind": run.stage.kind,
        "genotype_json": pruned.to_json(),
        "raw_genotype_json": genotype.to_json(),
        "valid": reason is None,
        "invalid_reason": reason,
    }
    row |= pruned.summary()
    run.write_rows("genotypes", [row])
    return Outcome() if reason is None else Outcome("invalid", reason)
