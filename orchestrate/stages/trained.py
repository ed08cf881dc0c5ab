"""Rebuilds the trained network of a finished retraining from its checkpoint."""

from typing import Any

import torch
from safetensors.torch import load

from fairdarts.config import DataConfig, RetrainConfig
from fairdarts.data.images import Channels
from fairdarts.data.sources import load_train
from fairdarts.export.description import Description, crop_mode_of
from fairdarts.genotype.any_genotype import genotype_from_json
from fairdarts.network.build import AnyNetwork
from fairdarts.network.retrain import RetrainState
from orchestrate.errors import NotTrained
from orchestrate.planning.images import data_settings
from orchestrate.stages.checkpoints import load_checkpoint
from orchestrate.stages.paths import StagePaths
from results.store.files import read_json
from results.store.store import Store


def trained_network(store: Store, key: str) -> tuple[AnyNetwork, Description]:
    """The network of a finished retraining, on the CPU, and its description.

    Its weights are those that its accuracy was measured with: the averaged ones, if the recipe
    averages weights.

    Args:
        store: Where the retraining is.
        key: Id of the trial, which is the key of its retraining.
    Raises:
        NotTrained: If it is not finished, or its last checkpoint is gone or damaged.
        DataError: If an older version of the program trained it, which did not record how images
            were normalised, and the images are gone.
    """
    rows = store.read("retrains", [key]).to_pylist()
    if not rows:
        raise NotTrained(f"{store.root} has no finished retraining {key}.")
    (row,) = rows
    own, other = (store.stage_dir("retrain", one) for one in (key, row["trained_as"] or key))
    # One that was copied has no weights of its own, unless they were imported with it.
    folder = own if StagePaths(own).checkpoint_records() else other
    checkpoint = load_checkpoint(folder, log=lambda line: None)
    if checkpoint is None or checkpoint.epoch != row["epochs"]:
        raise NotTrained(
            f"the last checkpoint of retraining {key} is gone or damaged in {folder}, or was not "
            "imported."
        )
    spec = read_json(StagePaths(folder).spec)
    (derived,) = store.read("genotypes", [spec["parent"]]).to_pylist()
    genotype = genotype_from_json(derived["genotype_json"])
    config = RetrainConfig.build(spec["config"]["retrain"] | {"compile": False}, "retrain")
    # The classifier has one bias for each class; so the images need not be there.
    num_classes = len(load(checkpoint.content)["network/classifier.bias"])
    state = RetrainState(genotype, config, num_classes, torch.device("cpu"))
    state.restore(checkpoint.content)
    data = data_settings(spec["config"]["data"])
    mean, std, class_names = _recorded(row, data)
    description = Description(
        genotype=genotype,
        config=config,
        num_classes=num_classes,
        image_size=row["image_size"],
        mean=mean,
        std=std,
        crop_mode=crop_mode_of(data),
        class_names=class_names,
        trial=key,
        test_top1_pct=row["test_top1_pct"],
    )
    return state.measured_network, description


def _recorded(row: dict[str, Any], data: DataConfig) -> tuple[Channels, Channels, tuple[str, ...]]:
    if row["image_mean"] is None:  # An older version of the program did not record them.
        images = load_train(data)
        return images.mean, images.std, images.class_names
    mean, std, names = (tuple(row[name]) for name in ("image_mean", "image_std", "class_names"))
    return mean, std, names
