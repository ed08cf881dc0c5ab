"""The network that a finished retraining left, with its weights."""

import torch
from safetensors.torch import load

from fairdarts.config import RetrainConfig
from fairdarts.genotype.any_genotype import genotype_from_json
from fairdarts.network.build import AnyNetwork
from fairdarts.network.retrain import RetrainState
from orchestrate.errors import NotTrained
from orchestrate.stages.checkpoints import load_checkpoint
from orchestrate.stages.paths import StagePaths
from results.store.files import read_json
from results.store.store import Store


def trained_network(store: Store, key: str) -> tuple[AnyNetwork, int]:
    """The network of a finished retraining, on the CPU, and the size of its images in pixels.

    Its weights are those that accuracy was measured with: averaged ones, where there are any.

    Args:
        store: Where it is.
        key: Id of the trial, which is the key of its retraining.
    Raises:
        NotTrained: If it is not finished, or its last checkpoint is gone or damaged.
    """
    rows = store.read("retrains", [key]).to_pylist()
    if not rows:
        raise NotTrained(f"{store.root} has no finished retraining {key}.")
    (row,) = rows
    folder = store.stage_dir("retrain", row["trained_as"] or key)
    spec = read_json(StagePaths(folder).spec)
    checkpoint = load_checkpoint(folder, log=lambda line: None)
    if checkpoint is None or checkpoint.epoch != row["epochs"]:
        raise NotTrained(f"the last checkpoint of retraining {key} is gone or damaged in {folder}.")
    (derived,) = store.read("genotypes", [spec["parent"]]).to_pylist()
    config = RetrainConfig.build(spec["config"]["retrain"] | {"compile": False}, "retrain")
    num_classes = len(load(checkpoint.content)["network/classifier.bias"])
    state = RetrainState(
        genotype_from_json(derived["genotype_json"]), config, num_classes, torch.device("cpu")
    )
    state.restore(checkpoint.content)
    return state.measured_network, row["image_size"]
