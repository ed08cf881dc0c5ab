"""What a plan accepts can be computed, and what it refuses it refuses in one sentence."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from random_settings import Table, random_table
from stored_images import png, write_images

from fairdarts.config import DataConfig, DeriveConfig, RetrainConfig, SearchConfig
from fairdarts.data.images import Images
from fairdarts.data.sources import load
from fairdarts.errors import FairDartsError
from fairdarts.genotype.any_genotype import AnyGenotype, derive_flat
from fairdarts.genotype.dominance import count_dominant
from fairdarts.genotype.published import published
from fairdarts.network.retrain import RetrainEpoch, RetrainState, retrain
from fairdarts.search.loop import SearchEpoch, search
from fairdarts.search.state import SearchState
from fairdarts.spaces import get_space
from orchestrate.errors import OrchestrateError
from orchestrate.planning.checks import check_trials
from orchestrate.planning.plan import TrialSpec, plan
from orchestrate.planning.sweep_file import parse_sweep

MAX_IMAGES = 24
"""Of a stage that trains here; planning sees all of them."""
EXPENSIVE = ("eigenvalue",)
"""Stopping rules that take seconds here; tests of their own compute them."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same 12 training and 4 test images of two classes, as each kind of source."""
    root = tmp_path_factory.mktemp("images")
    write_images(root / "parquet")
    for split, number in (("train", 12), ("test", 4)):
        for index in range(number):
            path = root / "folder" / split / f"class{index % 2}" / f"{index}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(20 * index))
    return {"parquet": root / "parquet", "folder": root / "folder"}


@pytest.mark.parametrize(
    "seeds",
    [range(10), pytest.param(range(10, 800), marks=pytest.mark.slow)],
    ids=["few", "many"],
)
def test_what_a_plan_accepts_can_be_computed(seeds: range, folders: dict[str, Path]) -> None:
    num_accepted = 0
    for seed in seeds:
        table = random_table(seed, folders)
        try:
            trial = accepted(table)
            if trial is not None:
                num_accepted += 1
                compute_an_epoch(trial)
        except Exception as error:
            error.add_note(f"seed {seed}: {table}")
            raise
    assert num_accepted >= len(seeds) / 10


def test_what_a_plan_refuses_it_refuses_in_one_sentence(folders: dict[str, Path]) -> None:
    num_accepted = sum(accepted(random_table(seed, folders)) is not None for seed in range(60))
    assert 6 <= num_accepted <= 54


def accepted(table: Table) -> TrialSpec | None:
    """The trial of a sweep file; None if it is refused."""
    try:
        (trial,) = plan(parse_sweep(table, "random", []))
        check_trials([trial])
    except (FairDartsError, OrchestrateError) as error:
        text = str(error)
        assert text.endswith(".") and "\n" not in text and len(text) < 1500, text
        return None
    return trial


def compute_an_epoch(trial: TrialSpec) -> None:
    """Search, derive and retrain for one epoch, as the stages do, and read each state again."""
    genotype: AnyGenotype = published("FairDARTS_a").genotype
    if stage := trial.stage("search"):
        config = SearchConfig.build(stage.config["search"])
        if config.stopping in EXPENSIVE or is_large(config):
            return
        epoch = first_epoch(search, config, few(load(data_of(stage.config))[0]))
        space = get_space(config.space)
        count_dominant(epoch.gates, config.relaxation, space)
        if not all(map(math.isfinite, epoch.gates)):  # the stage would end as diverged
            return
        derive_stage = trial.stage("derive")
        assert derive_stage is not None
        rule = {name: value for name, value in derive_stage.config.items() if name != "space"}
        derived = derive_flat(epoch.gates, DeriveConfig.build(rule), space)
        if derived.pruned.invalid_reason():  # the stage would record it and end the trial
            derived = derive_flat(epoch.gates, DeriveConfig(rule="darts"), space)
        genotype = derived.pruned
    stage = trial.stages[-1]
    # Compiling takes minutes.
    recipe = RetrainConfig.build(stage.config["retrain"] | {"compile": False})
    if is_large(recipe):
        return
    train, test = map(few, load(data_of(stage.config)))
    first_epoch(retrain, genotype, recipe, train, test)


class Enough(Exception):
    """Ends a stage after its first epoch."""


def first_epoch(compute: Callable[..., object], *arguments: object) -> Any:
    """The first epoch of a stage, whose state can be saved and restored."""
    epochs: list[SearchEpoch | RetrainEpoch] = []

    def stop(epoch: SearchEpoch | RetrainEpoch, state: SearchState | RetrainState) -> None:
        state.restore(state.to_bytes())
        epochs.append(epoch)
        raise Enough

    with pytest.raises(Enough):
        compute(*arguments, device=torch.device("cpu"), on_epoch=stop)
    return epochs[0]


def is_large(config: SearchConfig | RetrainConfig) -> bool:
    """Whether a network may need more time or memory than a test has."""
    return config.init_channels * config.num_cells > 1000 or config.width > 1


def data_of(config: Table) -> DataConfig:
    return DataConfig.build(
        {name: value for name, value in config["data"].items() if name != "fingerprints"}
    )


def few(images: Images) -> Images:
    return images.subset(torch.arange(min(len(images), MAX_IMAGES)))
