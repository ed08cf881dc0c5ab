"""The examples run, as a person would start them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from repository import ROOT

SMALL = ["--size", "64", "--batch-size", "2", "--steps", "2"]


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
