"""The model card of an exported network: what it is, how good, how to load it, where it comes from.

Its first lines are for the Hugging Face hub, the rest is for people.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from fairdarts.export.description import INTERPOLATION, Description
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.network.build import AnyNetwork
from fairdarts.network.cost import network_cost

MARK = "<!-- Written by `fairdarts arch export`, which replaces this file only while this line is "
MARK += "in it. -->"
LICENSE = (
    "# Choose a license, e.g. `license: apache-2.0`: "
    "https://huggingface.co/docs/hub/repositories-licenses\n"
)
ON_THE_HUB = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "imagenet": "ILSVRC/imagenet-1k",
}
"""Data sets by their names on the hub."""
MAX_NAMES = 100
"""More names of classes are left to the metadata of the file."""
CITATION = """@inproceedings{chu2020fair,
  title     = {Fair {DARTS}: Eliminating Unfair Advantages in Differentiable Architecture Search},
  author    = {Chu, Xiangxiang and Zhou, Tianbao and Zhang, Bo and Li, Jixiang},
  booktitle = {European Conference on Computer Vision (ECCV)},
  year      = {2020},
  note      = {arXiv:1911.12126}
}"""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where trained weights come from."""

    trial: str
    """Its name for people."""
    sweep: str
    method: str
    dataset: str
    """As tables name it, with the settings that are not the default."""
    recipe: str
    epochs: int
    test_top1_pct: float
    best_test_top1_pct: float
    siblings: str
    """The accuracy of all networks that the same configuration gave with other seeds."""
    versions: dict[str, str]
    device: str

    @property
    def public_dataset(self) -> str:
        """The data set, without the folder where it lay."""
        return re.sub(r"^(folder|parquet):[^\[]*/", r"\1:", self.dataset)

    @property
    def source(self) -> str:
        """Name of the data set alone."""
        return self.public_dataset.partition("[")[0]


def model_card(
    file: Path,
    network: AnyNetwork,
    description: Description,
    origin: Provenance | None,
    *,
    uint8: bool = False,
) -> str:
    """The text of the card.

    Args:
        file: The exported file.
        network: What is in it.
        description: Describes it.
        origin: Where its weights come from; None: they are random.
        uint8: See `to_onnx`.
    """
    parts = [
        _front_matter(file, description, origin),
        MARK,
        f"# {_name(description, origin)}",
        _what(description, origin),
        *(_accuracy(origin) if origin else ()),
        "## Architecture",
        *_architecture(network, description),
        "## Images and classes",
        *_images(description, uint8),
        "## How to load it",
        _loading(file, description, uint8),
        *(_provenance(description, origin) if origin else ()),
        "## Citation",
        f"```bibtex\n{CITATION}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _name(description: Description, origin: Provenance | None) -> str:
    kind = "cells" if isinstance(description.genotype, Genotype) else "layers"
    return f"{origin.method} network {description.trial}" if origin else f"untrained {kind}"


def _front_matter(file: Path, description: Description, origin: Provenance | None) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    library = "onnx" if file.suffix == ".onnx" else "fairdarts"
    tags = ["image-classification", "neural-architecture-search", "darts", "fairdarts"]
    if origin is None:
        data = ModelCardData(library_name=library, tags=tags)
    else:
        known = ON_THE_HUB.get(origin.source)
        result = EvalResult(
            task_type="image-classification",
            dataset_type=known or origin.source,
            dataset_name=origin.public_dataset,
            dataset_split="test",
            metric_type="accuracy",
            metric_name="top-1 accuracy after the last epoch, %, one network",
            metric_value=origin.test_top1_pct,
        )
        data = ModelCardData(
            library_name=library,
            pipeline_tag="image-classification",
            tags=tags,
            datasets=[known] if known else None,
            model_name=_name(description, origin),
            eval_results=[result],
        )
    return f"---\n{LICENSE}{data.to_yaml()}\n---"


def _what(description: Description, origin: Provenance | None) -> str:
    if origin is None:
        return (
            "**The weights are random.** This file has an architecture of the Fair DARTS search "
            f"spaces with {description.num_classes} outputs, which mean nothing before training."
        )
    return (
        f"An image classifier with {description.num_classes} classes. Its architecture is the "
        f"genotype of the trial `{origin.trial}` ({origin.method}), and its weights were trained "
        f"from scratch on {origin.public_dataset} for {origin.epochs} epochs with the recipe "
        f"{origin.recipe}. `fairdarts` is an implementation of Fair DARTS (arXiv:1911.12126)."
    )


def _accuracy(origin: Provenance) -> list[str]:
    return [
        "## Accuracy",
        "| | test top-1 (%) |\n| --- | --- |\n"
        f"| this network, after the last epoch (n = 1) | {origin.test_top1_pct:.2f} |\n"
        f"| this network, best epoch: chosen on the test images, biased upwards "
        f"| {origin.best_test_top1_pct:.2f} |",
        f"{origin.siblings} One network says little about a method: compare means over seeds, of "
        "the same recipe, epochs and images. If this network was picked because it is the best of "
        "several by test accuracy, its accuracy is biased upwards, too.",
    ]


def _architecture(network: AnyNetwork, description: Description) -> list[str]:
    genotype, size = description.genotype, description.image_size
    cost = network_cost(network, size)
    text = genotype.to_json() if isinstance(genotype, Genotype) else genotype.to_text()
    return [
        f"{cost.params:,} parameters and {cost.multadds:,} MultAdds for an image of {size} x "
        f"{size} (convolutions and linear layers; no auxiliary head).",
        f"```\n{text}\n```",
    ]


def _images(description: Description, uint8: bool) -> list[str]:
    size, resize = description.image_size, description.resize_size
    crop = (
        f"resized to {size} x {size}"
        if description.crop_mode == "squash"
        else f"resized so that the short side has {resize} pixels, and cropped to {size} x {size}"
    )
    mean, std = (
        [round(value, 4) for value in channels] for channels in (description.mean, description.std)
    )
    normalised = (
        "The model normalises the pixels itself: give it uint8 (batch, height, width, 3)."
        if uint8
        else f"Pixels in 0..1 are normalised with mean {mean} and standard deviation {std}."
    )
    names = description.class_names
    if names is None:
        classes = "The outputs have no names."
    elif len(names) > MAX_NAMES:
        classes = f"{len(names)} classes, named in the metadata of the file (`class_names`)."
    else:
        classes = f"Classes, in the order of the outputs: {', '.join(map(_plain, names))}."
    return [f"RGB images are {crop} ({INTERPOLATION}). {normalised}", classes]


def _loading(file: Path, description: Description, uint8: bool) -> str:
    if file.suffix != ".onnx":
        code = f"""from PIL import Image
from timm.data import create_transform, resolve_data_config

from fairdarts.timm_models import load_exported

network = load_exported("{file.name}")
transform = create_transform(**resolve_data_config(model=network))
image = Image.open("image.png").convert("RGB")
logits = network(transform(image).unsqueeze(0))"""
        return f"```python\n{code}\n```"
    size = description.image_size
    shape = f"(1, {size}, {size}, 3), np.uint8" if uint8 else f"(1, 3, {size}, {size}), np.float32"
    code = f"""import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file.name}", providers=["CPUExecutionProvider"])
images = np.zeros({shape})  # See above for how an image is prepared.
(logits,) = session.run(["logits"], {{"images": images}})"""
    return (
        f"```python\n{code}\n```\n\n`examples/predict.py` of fairdarts prepares images from files."
    )


def _provenance(description: Description, origin: Provenance) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(origin.versions.items()))
    return [
        "## Provenance",
        f"Trial `{description.trial}` of the sweep `{origin.sweep}`, computed on {origin.device} "
        f"with {versions or 'versions that were not recorded'}. In its store, "
        f"`fairdarts show {description.trial}` has all settings and `fairdarts sweep why "
        f"{description.trial}` every attempt. The metadata of the file repeat what is needed to "
        "use it.",
    ]


def _plain(text: str) -> str:
    """A name on one line that is no markup."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))
