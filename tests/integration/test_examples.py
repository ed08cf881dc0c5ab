"""The examples run, as a person would start them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from repository import ROOT
from sklearn.datasets import load_digits
from typer.testing import CliRunner

from cli.app import app
from results.store.store import Store

RETRAIN = {
    "data.image_size": 16,
    "retrain.init_channels": 4,
    "retrain.num_cells": 3,
    "retrain.epochs": 12,
    "retrain.batch_size": 20,
    "retrain.auxiliary_weight": 0.0,
    "retrain.cutout": 0,
}
SMALL = ["--size", "64", "--batch-size", "2", "--steps", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as images of many shapes, in a folder for each class."""
    digits = load_digits()
    root = tmp_path_factory.mktemp("digits")
    for split, first, last in (("train", 0, 200), ("test", 200, 260)):
        for number in range(first, last):
            path = root / split / f"digit {digits.target[number]}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray((digits.images[number] * 15.9).astype("uint8"))
            image.resize((20 + number % 7, 20 + number % 5)).save(path)
    return root


@pytest.mark.parametrize("augmentation", ["crop", "resized_crop"])
def test_an_exported_model_classifies_a_folder_as_the_table_says(
    augmentation: str, folder: Path, tmp_path: Path
) -> None:
    store, model = tmp_path / "runs", tmp_path / "model.onnx"
    settings = RETRAIN | {"data.augmentation": augmentation}
    changes = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    fairdarts("retrain", "DARTS_V2", "--data", f"folder:{folder}", "--store", store, *changes)
    (row,) = Store.open(store).read("retrains").to_pylist()
    fairdarts("arch", "export", row["stage_key"], "-o", model, "--store", store, "--uint8")

    command = [sys.executable, "examples/predict.py", model, folder / "test"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    *lines, accuracy = done.stdout.splitlines()
    assert len(lines) == 60
    assert lines[0].startswith(f"{folder}/test/digit 0/")
    assert accuracy == f"top-1 {row['test_top1_pct']:.2f} % of 60 images"
    assert row["test_top1_pct"] > 20  # Else agreeing would mean little.


def fairdarts(*arguments: object) -> None:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception:
        raise result.exception


def detect(*arguments: str) -> list[str]:
    command = [sys.executable, "examples/detection.py", *SMALL, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_detector_learns_from_generated_boxes() -> None:
    lines = detect("--arch", " ".join(["E3K3", "E3K3+skip"] * 3))
    assert [line.split()[0:3] for line in lines] == [
        ["step", str(step), "classification"] for step in range(2)
    ]


def test_a_detector_learns_from_images_in_the_format_of_coco(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    images, annotations = [], []
    for number in range(3):
        Image.new("RGB", (80, 64), (40 * number, 90, 10)).save(tmp_path / f"{number}.jpg")
        images.append({"id": number, "file_name": f"{number}.jpg", "width": 80, "height": 64})
        if number:  # one image has no box
            box = {"bbox": [8, 8, 40, 30], "area": 1200, "iscrowd": 0, "category_id": 17}
            annotations.append(box | {"id": number, "image_id": number})
    listing = tmp_path / "instances.json"
    categories = [{"id": 17, "name": "cat"}]
    listing.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    lines = detect("--arch", " ".join(["E3K3"] * 6), "--coco", str(tmp_path), str(listing))
    assert [line.split()[0] for line in lines[-2:]] == ["step", "step"]
