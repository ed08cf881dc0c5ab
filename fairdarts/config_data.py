"""Settings of a data set; see `fairdarts.config`. Nothing here imports torch."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from fairdarts.config_base import Config, shown

DATA_SOURCES = "digits, cifar10, cifar100, imagenet, parquet:DIR or folder:DIR"
NAMES_IN_FILES = {
    "train_split": ("parquet", "folder", "imagenet"),
    "test_split": ("parquet", "folder", "imagenet"),
    "image_column": ("parquet",),
    "label_column": ("parquet",),
}
"""Settings that name splits or columns, each with the kinds of source that have such names."""


class DataConfig(Config):
    """Which images a trial uses."""

    source: str = "digits"
    """Where images come from: `digits` (comes with scikit-learn), `cifar10`, `cifar100`,
    `imagenet`, `parquet:DIR` or `folder:DIR`."""
    augmentation: Literal["crop", "resized_crop"] = "crop"
    """`crop`: images are decoded once, kept in memory, padded, cropped and mirrored (CIFAR);
    `resized_crop`: they are read again for every batch, and a random part is resized (ImageNet)."""
    damaged: Literal["refuse", "skip"] = "refuse"
    """`refuse`: an image that cannot be decoded ends the stage; `skip`: it is named once in the log
    and left out of its batches (`resized_crop` only)."""
    num_train: int | None = Field(default=None, ge=4)
    """Use only this many training images, the first ones, spread evenly over the classes; left out:
    all of them."""
    num_test: int | None = Field(default=None, ge=2)
    """Use only this many test images, chosen in the same way; left out: all of them."""
    num_classes: int | None = Field(default=None, ge=2)
    """Use only images of this many classes, the first ones; left out: images of all classes."""
    train_split: str | None = None
    """Name of the split to train on, as in its folder or Parquet files; left out: `train`."""
    test_split: str | None = None
    """Name of the split to test on; left out: `test`, or else `validation`, `valid` or `val`."""
    image_column: str | None = None
    """Column of the images (`parquet:` only); left out: `img` or `image`, or else the only one of
    images."""
    label_column: str | None = None
    """Column of the labels (`parquet:` only); left out: `label`, or else the only one of labels."""
    image_size: int | None = Field(default=None, ge=8, le=512)
    """Height and width of an image in pixels; left out: as stored (digits: 32), or 224 with
    `resized_crop`. Networks of cells need a multiple of 4 (ImageNet stem: 32), S2 takes any."""

    @field_validator("source")
    @classmethod
    def _known_source(cls, source: str) -> str:
        kind, _, path = source.partition(":")
        named = source in ("digits", "cifar10", "cifar100", "imagenet")
        if not named and not (kind in ("parquet", "folder") and path):
            raise ValueError(
                f"source (={shown(source)}) is not a data set; allowed: {DATA_SOURCES}."
            )
        return source

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        kind = self.source.partition(":")[0]
        for name, kinds in NAMES_IN_FILES.items():
            value = getattr(self, name)
            if value is not None and kind not in kinds:
                allowed = " and ".join(kinds)
                raise ValueError(f"{name} (={shown(value)}) is for {allowed}, not {kind}.")
        for name in ("train_split", "test_split"):
            value = getattr(self, name)
            if value is not None and not re.fullmatch(r"[^./\\][^/\\]*", value):
                raise ValueError(
                    f"{name} (={shown(value)}) must be the name of a folder or of files."
                )
        if self.test_split == (self.train_split or "train"):
            raise ValueError(
                f"test_split (={shown(self.test_split)}) is also the split to train on: give "
                "another."
            )
        return self

    @model_validator(mode="after")
    def _source_fits(self) -> Self:
        if self.augmentation == "resized_crop":
            if self.source in ("digits", "cifar10", "cifar100"):
                raise ValueError(
                    f"augmentation = resized_crop reads images from files, and {self.source} has "
                    "none: use augmentation = crop, or another source."
                )
        elif self.damaged == "skip":
            raise ValueError(
                "damaged = skip needs augmentation = resized_crop: it leaves images out of batches."
            )
        elif self.source == "imagenet" and self.image_size is None:
            raise ValueError(
                "source = imagenet needs augmentation = resized_crop, or an image_size at which "
                "all images fit in memory."
            )
        return self
