"""Classify a folder of images with an exported model: onnxruntime, Pillow and NumPy, no torch.

    fairdarts arch export TRIAL -o network.onnx
    python examples/predict.py network.onnx IMAGES

It prints a line for each image: path, class, probability. If every image is in a folder named after
its class, the last line is the accuracy; for the test images of the trial it is that of the table.
The metadata of the model say how an image is prepared. A model that was exported with `--uint8`
normalises the image itself.
"""

import argparse
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # Before the import, which would report it to Microsoft.
import onnxruntime

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
BATCH_SIZE = 64


class Model:
    """An exported network: images in, probabilities of its classes out."""

    def __init__(self, path: Path) -> None:
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        known = self.session.get_modelmeta().custom_metadata_map
        if known.get("weights") != "trained":
            raise SystemExit(f"{path} has random weights: export the id of a trained trial.")
        self.size, self.resize_size = int(known["image_size"]), int(known["resize_size"])
        self.squash = known["crop_mode"] == "squash"
        self.mean, self.std = (np.array(json.loads(known[key]), "f4") for key in ("mean", "std"))
        self.class_names: list[str] = json.loads(known["class_names"])
        self.takes_pixels = self.session.get_inputs()[0].type == "tensor(uint8)"

    def pixels(self, path: Path) -> np.ndarray:
        """The pixels of an image that the model sees, uint8, (H, W, 3)."""
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        if self.squash:
            if image.size != (self.size, self.size):
                image = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
            return np.asarray(image)
        short = min(image.size)
        sides = [int(self.resize_size * side / short) for side in image.size]
        image = image.resize((sides[0], sides[1]), Image.Resampling.BILINEAR)
        left, top = (round((side - self.size) / 2) for side in image.size)
        return np.asarray(image.crop((left, top, left + self.size, top + self.size)))

    def probabilities(self, paths: list[Path]) -> np.ndarray:
        """Probabilities, (images, classes)."""
        images = np.stack([self.pixels(path) for path in paths])
        if not self.takes_pixels:
            images = ((images.astype("f4") / 255 - self.mean) / self.std).transpose(0, 3, 1, 2)
        (logits,) = self.session.run(["logits"], {"images": images})
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))


def images_in(folder: Path) -> list[Path]:
    """All image files in a folder and its folders, except hidden ones, in order."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def batches(paths: list[Path]) -> Iterator[list[Path]]:
    """The paths, `BATCH_SIZE` at a time."""
    rest = iter(paths)
    return iter(lambda: list(islice(rest, BATCH_SIZE)), [])


def main() -> None:
    """Parse the command line, classify and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="what `fairdarts arch export` wrote as .onnx")
    parser.add_argument("images", type=Path, help="a folder")
    arguments = parser.parse_args()
    model = Model(arguments.model)
    paths = images_in(arguments.images)
    if not paths:
        raise SystemExit(f"{arguments.images} has no images.")
    num_right = 0
    for batch in batches(paths):
        for path, probabilities in zip(batch, model.probabilities(batch), strict=True):
            best = int(probabilities.argmax())
            name = model.class_names[best]
            num_right += path.parent.name == name
            print(f"{path}  {name}  {probabilities[best]:.3f}")
    if all(path.parent.name in model.class_names for path in paths):
        print(f"top-1 {100 * num_right / len(paths):.2f} % of {len(paths)} images")


if __name__ == "__main__":
    main()
