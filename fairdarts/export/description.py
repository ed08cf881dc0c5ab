"""What a user of an exported network must know: how an image becomes its input, what its outputs
mean, and where it comes from. It is written into the file, as text and in timm's form.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any, Literal

from fairdarts.config import DataConfig, RetrainConfig
from fairdarts.data.images import Channels
from fairdarts.data.sources import PUBLISHED_STATISTICS
from fairdarts.data.views import resized_side
from fairdarts.genotype.any_genotype import AnyGenotype
from fairdarts.genotype.cell_genotype import Genotype

CropMode = Literal["squash", "center"]
"""timm's names. `squash`: the whole image is resized to a square; `center`: its short side is
resized, and its centre is cropped."""
INTERPOLATION = "bilinear"
TIMM_KEY = "timm"
"""Name of the metadata entry that `fairdarts.timm_models.load_exported` reads."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """Describes one exported network and its images."""

    genotype: AnyGenotype
    config: RetrainConfig
    """How the network was trained, and its size."""
    num_classes: int
    image_size: int
    """Height and width in pixels."""
    mean: Channels
    """Mean that its images are normalised with, in 0..1."""
    std: Channels
    """Their standard deviation."""
    crop_mode: CropMode
    class_names: tuple[str, ...] | None = None
    """Names of the outputs in order; None: the outputs mean nothing, because weights are random."""
    trial: str | None = None
    """Id of the trial that trained the weights; None: they are random."""
    test_top1_pct: float | None = None
    """Its accuracy in the results table."""

    @cached_property
    def resize_size(self) -> int:
        """Pixels that the short side (`center`) or both sides (`squash`) are resized to."""
        return resized_side(self.image_size) if self.crop_mode == "center" else self.image_size

    def metadata(self) -> dict[str, str]:
        """The metadata of a file: names and texts; lists are written as JSON."""
        values: dict[str, Any] = {
            "image_size": self.image_size,
            "resize_size": self.resize_size,
            "crop_mode": self.crop_mode,
            "interpolation": INTERPOLATION,
            "mean": self.mean,
            "std": self.std,
            "class_names": self.class_names,
            "weights": "trained" if self.trial else "random",
            "trial": self.trial,
            "test_top1_pct": self.test_top1_pct,
            "genotype": self.genotype.to_dict(),
            "fairdarts_version": version("fairdarts"),
        }
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
            if value is not None
        }

    def timm(self) -> dict[str, Any]:
        """Name, arguments and `pretrained_cfg` for timm, in the form of the models on its hub."""
        names = {} if self.class_names is None else {"label_names": self.class_names}
        weights = f"trial {self.trial}" if self.trial else "random weights"
        return self._architecture() | {
            "pretrained_cfg": {
                "tag": self.trial,
                "input_size": (3, self.image_size, self.image_size),
                "pool_size": None,
                "interpolation": INTERPOLATION,
                "crop_pct": self.image_size / self.resize_size,
                "crop_mode": self.crop_mode,
                "mean": self.mean,
                "std": self.std,
                "num_classes": self.num_classes,
                "description": f"{weights} of fairdarts {version('fairdarts')}",
            }
            | names
        }

    def _architecture(self) -> dict[str, Any]:
        config = self.config
        if isinstance(self.genotype, Genotype):
            return {
                "architecture": "fairdarts",
                "model_args": {
                    "genotype": self.genotype.to_json(),
                    "init_channels": config.init_channels,
                    "num_cells": config.num_cells,
                    "stem": config.stem,
                    "drop_path_mode": config.drop_path_mode,
                },
            }
        return {
            "architecture": "fairdarts_s2",
            "model_args": {
                "arch": self.genotype.to_text(),
                "width": config.width,
                "squeeze_excite": config.squeeze_excite,
                "act_layer": config.activation,
            },
        }


def crop_mode_of(data: DataConfig) -> CropMode:
    """How images are resized when accuracy is measured."""
    return "center" if data.augmentation == "resized_crop" else "squash"


def published_statistics(config: RetrainConfig, genotype: AnyGenotype) -> tuple[Channels, Channels]:
    """Mean and standard deviation for an untrained network: those of the paper's data."""
    is_cifar = isinstance(genotype, Genotype) and config.stem == "cifar"
    return PUBLISHED_STATISTICS["cifar10" if is_cifar else "imagenet"]
