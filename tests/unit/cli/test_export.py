"""`fairdarts arch export`, run as a person runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from timm.data import create_transform, resolve_data_config
from torch import nn
from typer.testing import CliRunner

from cli.app import app
from fairdarts.config import DataConfig, RetrainConfig
from fairdarts.data.augment import normalise
from fairdarts.data.sources import load
from fairdarts.data.views import centre_view
from fairdarts.errors import ConfigError, ExportError
from fairdarts.export.description import Description
from fairdarts.export.onnx import _onnxruntime, to_onnx
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.layer_network import LayerNetwork
from fairdarts.timm_models import load_exported
from results.store.store import Store

S2 = " ".join(["E3K3", "E3K3+skip", "E3K5+E6K3"] * 2)
SMALL = ["--set", "retrain.init_channels=4", "--set", "retrain.num_cells=3"]
SETTINGS = {
    "data.num_train": 40,
    "data.num_test": 20,
    "retrain.init_channels": 2,
    "retrain.num_cells": 3,
    "retrain.epochs": 2,
    "retrain.batch_size": 20,
}


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception:
        raise result.exception
    return result.output


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A store with one trained trial on digits, and its row."""
    store = tmp_path_factory.mktemp("trained") / "runs"
    changes = [part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")]
    run("retrain", "FairDARTS_a", "--store", store, *changes)
    (row,) = Store.open(store).read("retrains").to_pylist()
    return store, row


def logits(path: Path, images: torch.Tensor) -> np.ndarray:
    session = _onnxruntime().InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"images": images.numpy()})
    return np.asarray(found)


def metadata(path: Path) -> dict[str, str]:
    if path.suffix == ".onnx":
        return {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata())


@pytest.mark.parametrize(
    ("genotype", "changes"),
    [
        ("FairDARTS_a", SMALL),
        (S2, ["--set", "retrain.width=0.25", "--set", "retrain.squeeze_excite=true"]),
    ],
)
def test_a_model_takes_any_number_of_images(
    tmp_path: Path, genotype: str, changes: list[str]
) -> None:
    path = tmp_path / "model.onnx"
    text = run("arch", "export", genotype, "-o", path, "--image-size", 32, *changes)
    assert "random weights, images of 3 x 32 x 32" in text
    assert "warning: the weights are RANDOM" in text
    num_classes = 1000 if genotype == S2 else 10
    for number in (1, 5):
        assert logits(path, torch.randn(number, 3, 32, 32)).shape == (number, num_classes)
    assert metadata(path)["weights"] == "random"
    assert "class_names" not in metadata(path)


@pytest.mark.parametrize("uint8", [False, True])
def test_a_trained_network_has_its_accuracy_elsewhere_too(
    tmp_path: Path, trained: tuple[Path, dict[str, Any]], uint8: bool
) -> None:
    store, row = trained
    path = tmp_path / "model.onnx"
    options = ["--uint8"] if uint8 else []
    text = run("arch", "export", row["stage_key"], "-o", path, "--store", store, *options)
    assert "trained weights" in text
    assert "RANDOM" not in text
    _, test = load(DataConfig(source="digits", num_train=40, num_test=20))
    pixels = test.images.permute(0, 2, 3, 1).contiguous()
    images = pixels if uint8 else normalise(test.images, test.mean, test.std)
    found = logits(path, images).argmax(axis=1)
    assert 100 * (found == test.labels.numpy()).mean() == pytest.approx(row["test_top1_pct"])
    check_metadata(path, row)


def test_weights_say_how_they_are_fed_and_where_they_come_from(
    tmp_path: Path, trained: tuple[Path, dict[str, Any]]
) -> None:
    store, row = trained
    path = tmp_path / "model.safetensors"
    run("arch", "export", row["stage_key"], "-o", path, "--store", store)
    check_metadata(path, row)


def test_timm_loads_the_weights_and_feeds_them_as_the_evaluation_did(
    tmp_path: Path, trained: tuple[Path, dict[str, Any]]
) -> None:
    store, row = trained
    path = tmp_path / "model.safetensors"
    run("arch", "export", row["stage_key"], "-o", path, "--store", store)
    network = load_exported(path)
    transform = create_transform(**resolve_data_config({}, model=network))
    _, test = load(DataConfig(source="digits", num_train=40, num_test=20))
    pictures = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in test.images]
    images = torch.stack([transform(picture) for picture in pictures])
    torch.testing.assert_close(images, normalise(test.images, test.mean, test.std))
    right = (network(images).argmax(dim=1) == test.labels).double().mean()
    assert 100 * float(right) == pytest.approx(row["test_top1_pct"])
    assert network.pretrained_cfg["label_names"] == list("0123456789")
    assert network.pretrained_cfg["tag"] == row["stage_key"]
    assert load_exported(path, num_classes=3)(images).shape == (20, 3)
    assert len(load_exported(path, features_only=True)(images)) == 3


def test_timm_loads_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(ExportError, match="was not written by `fairdarts arch export`"):
        load_exported(path)
    path.write_bytes(b"text")
    with pytest.raises(ExportError, match="is not a safetensors file"):
        load_exported(path)


@pytest.mark.parametrize(
    ("genotype", "changes"),
    [
        ("DARTS_V2", ["--set", "recipe=imagenet-transfer", "--set", "retrain.init_channels=4"]),
        (S2, ["--set", "recipe=imagenet-s2-se", "--set", "retrain.width=0.25"]),
    ],
)
def test_timm_loads_networks_of_every_recipe(
    tmp_path: Path, genotype: str, changes: list[str]
) -> None:
    path = tmp_path / "model.safetensors"
    run("arch", "export", genotype, "-o", path, *changes)
    network = load_exported(path)
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 10 if genotype == "DARTS_V2" else 1000)
    config = resolve_data_config({}, model=network)
    assert (config["input_size"], config["crop_mode"]) == ([3, 224, 224], "center")
    features = load_exported(path, features_only=True)
    assert [64 // output.shape[-1] for output in features(torch.zeros(1, 3, 64, 64))] == (
        features.feature_info.reduction()
    )


@pytest.mark.parametrize("size", [32, 64, 224])
def test_timm_and_the_evaluation_see_the_same_centre(size: int) -> None:
    description = Description(
        genotype=LayerGenotype.from_text(S2),
        config=RetrainConfig(),
        num_classes=3,
        image_size=size,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        crop_mode="center",
    )
    pixels = np.random.default_rng(0).integers(256, size=(301, 257, 3), dtype=np.uint8)
    config = resolve_data_config({}, pretrained_cfg=description.timm()["pretrained_cfg"])
    seen = create_transform(**config)(Image.fromarray(pixels))
    torch.testing.assert_close(seen, centre_view(size)(Image.fromarray(pixels)) / 255)


def check_metadata(path: Path, row: dict[str, Any]) -> None:
    train, _ = load(DataConfig(source="digits", num_train=40, num_test=20))
    found = metadata(path)
    assert found["trial"] == row["stage_key"]
    assert json.loads(found["class_names"]) == list("0123456789")
    assert json.loads(found["mean"]) == list(train.mean)
    assert json.loads(found["std"]) == list(train.std)
    assert (found["image_size"], found["crop_mode"]) == ("32", "squash")
    assert json.loads(found["test_top1_pct"]) == row["test_top1_pct"]


def test_what_an_older_version_did_not_record_is_read_off_the_images(
    tmp_path: Path, trained: tuple[Path, dict[str, Any]]
) -> None:
    store, row = trained
    older = Store.open(store)
    key = row["stage_key"]
    (name,) = [path.stem for path in (store / "live" / "retrains").glob(f"{key}*")]
    missing = {"image_mean": None, "image_std": None, "class_names": None}
    older.write_rows("retrains", name, [row | missing])
    path = tmp_path / "model.safetensors"
    try:
        run("arch", "export", key, "-o", path, "--store", store)
    finally:
        older.write_rows("retrains", name, [row])
    assert json.loads(metadata(path)["mean"]) == row["image_mean"]
    assert json.loads(metadata(path)["class_names"]) == row["class_names"]


def test_weights_have_the_names_of_the_network_in_timm(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    run("arch", "export", S2, "-o", path, "--set", "retrain.width=0.25")
    network = LayerNetwork(LayerGenotype.from_text(S2), num_classes=1000, width=0.25)
    network.load_state_dict(load_file(path))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["FairDARTS_a", "-o", "model.pb"], r"must end in \.onnx or \.safetensors"),
        (["FairDARTS_a", "-o", "model.safetensors", "--uint8"], "--uint8 is for ONNX models"),
        (["FairDARTS_a", "-o", "model.onnx", "--set", "search.epochs=3"], "search.epochs cannot"),
        (["TRIAL", "-o", "model.onnx", "--num-classes", "5"], "--num-classes cannot apply"),
        (["TRIAL", "-o", "model.onnx", *SMALL], "--set cannot apply: trial"),
    ],
)
def test_an_option_that_cannot_apply_is_refused(
    tmp_path: Path, trained: tuple[Path, dict[str, Any]], arguments: list[str], fault: str
) -> None:
    store, row = trained
    given = [row["stage_key"] if text == "TRIAL" else text for text in arguments]
    given[2] = str(tmp_path / given[2])
    with pytest.raises(ConfigError, match=fault):
        run("arch", "export", *given, "--store", store)
    assert list(tmp_path.iterdir()) == []


class NoNumbers(nn.Module):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, None]:
        return images.mean(dim=(2, 3)) * float("nan"), None


DESCRIPTION = Description(
    genotype=LayerGenotype.from_text(S2),
    config=RetrainConfig(),
    num_classes=3,
    image_size=8,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    crop_mode="squash",
)


def test_a_network_whose_logits_are_no_numbers_is_not_exported() -> None:
    with pytest.raises(ExportError, match="differ"):
        to_onnx(NoNumbers(), DESCRIPTION)


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, None]:
        return self.norm(images).mean(dim=(2, 3)), None


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_in_the_same_mode_after_its_export(training: bool) -> None:
    network = Normed().train(training)
    to_onnx(network, DESCRIPTION)
    assert [module.training for module in network.modules()] == [training, training]


def test_onnxruntime_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    program = "from fairdarts.export.onnx import _onnxruntime; print(_onnxruntime().__version__)"
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert list(tmp_path.rglob("*onnxruntime*")) == []


def test_the_hub_reads_the_accuracy_of_a_trained_network_in_its_card(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    store, row = trained
    file = tmp_path / "network.safetensors"
    printed = run("arch", "export", row["stage_key"], "--store", store, "-o", file)
    assert f"{file}.md: the model card." in printed
    card = ModelCard.load(tmp_path / "network.safetensors.md")
    (result,) = card.data.eval_results
    assert result.metric_value == row["test_top1_pct"]
    assert (result.dataset_type, result.dataset_split) == ("digits", "test")
    assert card.data.get("license") is None
    for text in (
        f"{row['params']:,} parameters and {row['multadds']:,} MultAdds",
        f"| this network, after the last epoch (n = 1) | {row['test_top1_pct']:.2f} |",
        "Classes, in the order of the outputs: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.",
        f"torch {torch.__version__.partition('+')[0]}",
    ):
        assert text in card.text


@pytest.mark.parametrize(
    ("name", "options"),
    [("network.safetensors", []), ("network.onnx", ["--uint8"])],
)
def test_the_code_in_a_card_loads_the_network(
    trained: tuple[Path, dict[str, Any]],
    name: str,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, row = trained
    run("arch", "export", row["stage_key"], "--store", store, "-o", tmp_path / name, *options)
    text = (tmp_path / f"{name}.md").read_text("utf-8")
    code = text.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (10, 10)).save("image.png")
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["logits"].shape == (1, 10)


def test_the_card_of_random_weights_claims_nothing(tmp_path: Path) -> None:
    run("arch", "export", "FairDARTS_a", "-o", tmp_path / "random.safetensors", *SMALL)
    card = ModelCard.load(tmp_path / "random.safetensors.md")
    assert card.data.eval_results is None
    assert "**The weights are random.**" in card.text
    assert "Accuracy" not in card.text


def test_a_file_of_the_user_with_the_name_of_a_card_is_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "random.safetensors.md"
    for _ in range(2):  # A card of ours is replaced.
        run("arch", "export", "FairDARTS_a", "-o", tmp_path / "random.safetensors", *SMALL)
    notes.write_text("my notes")
    said = run("arch", "export", "FairDARTS_a", "-o", tmp_path / "random.safetensors", *SMALL)
    assert f"warning: {notes} is not a card of `arch export`: it is left as it is." in said
    assert notes.read_text() == "my notes"
