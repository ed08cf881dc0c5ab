"""`fairdarts arch export`, run as a person runs it."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from cli.app import app
from fairdarts.config import DataConfig
from fairdarts.data.augment import normalise
from fairdarts.data.sources import load
from fairdarts.errors import ConfigError, ExportError
from fairdarts.export.onnx import to_onnx
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.layer_network import LayerNetwork

S2 = " ".join(["E3K3", "E3K3+skip", "E3K5+E6K3"] * 2)


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception:
        raise result.exception
    return result.output


def logits(path: Path, images: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"images": images.numpy()})
    return np.asarray(found)


@pytest.mark.parametrize(
    ("genotype", "changes"),
    [
        ("FairDARTS_a", ["--set", "retrain.init_channels=4", "--set", "retrain.num_cells=3"]),
        (S2, ["--set", "retrain.width=0.25", "--set", "retrain.squeeze_excite=true"]),
    ],
)
def test_a_model_takes_any_number_of_images(
    tmp_path: Path, genotype: str, changes: list[str]
) -> None:
    path = tmp_path / "model.onnx"
    text = run("arch", "export", genotype, "-o", path, "--image-size", 32, *changes)
    assert "random weights, images of 3 x 32 x 32" in text
    num_classes = 1000 if genotype == S2 else 10
    for number in (1, 5):
        assert logits(path, torch.randn(number, 3, 32, 32)).shape == (number, num_classes)


def test_a_trained_network_has_its_accuracy_elsewhere_too(tmp_path: Path) -> None:
    settings = {
        "data.num_train": 40,
        "data.num_test": 20,
        "retrain.init_channels": 2,
        "retrain.num_cells": 3,
        "retrain.epochs": 2,
        "retrain.batch_size": 20,
    }
    changes = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    run("retrain", "FairDARTS_a", "--store", tmp_path / "runs", *changes)
    from results.store.store import Store

    (row,) = Store.open(tmp_path / "runs").read("retrains").to_pylist()
    path = tmp_path / "model.onnx"
    text = run("arch", "export", row["stage_key"], "-o", path, "--store", tmp_path / "runs")
    assert "trained weights" in text
    _, test = load(DataConfig(source="digits", num_train=40, num_test=20))
    found = logits(path, normalise(test.images, test.mean, test.std)).argmax(axis=1)
    assert 100 * (found == test.labels.numpy()).mean() == pytest.approx(row["test_top1_pct"])


def test_weights_have_the_names_of_the_network_in_timm(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    run("arch", "export", S2, "-o", path, "--set", "retrain.width=0.25")
    network = LayerNetwork(LayerGenotype.from_text(S2), num_classes=1000, width=0.25)
    network.load_state_dict(load_file(path))


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.onnx or \.safetensors"):
        run("arch", "export", "FairDARTS_a", "-o", tmp_path / "model.pb")


def test_a_network_whose_logits_are_no_numbers_is_not_exported() -> None:
    network = LayerNetwork(LayerGenotype.from_text(S2), num_classes=2, width=0.25)
    torch.nn.init.constant_(network.classifier.bias, float("nan"))
    with pytest.raises(ExportError, match="differ"):
        to_onnx(network, 32)
