"""What a person should know about a data set before spending months on it.

Numbers of images are exact. Only a sample of the images is decoded, because decoding millions would
take hours. If a split is not larger than the sample, all its images are decoded.

Shapes: H = W pixels a side.
"""

import contextlib
import io
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from PIL import ExifTags, Image
from torch import Tensor

from fairdarts.config import DataConfig
from fairdarts.data.files import Split
from fairdarts.data.folders import Skipped, class_files
from fairdarts.data.images import Images, ImageSet, StoredImages, first_per_class
from fairdarts.data.shards import unused_files
from fairdarts.data.sources import load
from fairdarts.data.splits import Encoded
from fairdarts.errors import DataError

SAMPLE = 256
"""How many images of a split are decoded."""
UPRIGHT = 1
"""EXIF's orientation of an image that is stored as it should be seen."""
THREADS = 8
THUMBNAIL = 96
"""Largest height and width of an example in pixels."""


@dataclass(frozen=True)
class Shown:
    """An image for people to look at."""

    image: Image.Image
    class_name: str


@dataclass(frozen=True)
class SplitSurvey:
    """The part of one split that the settings choose."""

    per_class: dict[str, int]
    """Number of images by name of the class, in order of the labels."""
    num_sampled: int
    """How many images were decoded; what follows is about these."""
    sizes: Counter[tuple[int, int]]
    """Width and height in pixels, as stored."""
    modes: Counter[str]
    """Pillow's names of pixel formats: RGB, L (grey), P (palette), CMYK, ..."""
    num_rotated: int
    """Images that EXIF says should be rotated or mirrored; they are used as they are stored."""
    unusable: tuple[str, ...]
    """A sentence about each image that cannot be used."""
    examples: tuple[Shown, ...]
    """Images of the sample, spread evenly over the classes and in their order."""

    @property
    def num_images(self) -> int:
        """Images of all classes."""
        return sum(self.per_class.values())


@dataclass(frozen=True)
class Survey:
    """A data set."""

    train: SplitSurvey
    test: SplitSurvey
    skipped: tuple[Skipped, ...]
    """Files and folders that are not images, and are skipped."""


def survey(config: DataConfig, num_examples: int = 0) -> Survey:
    """Look at both splits of a data set.

    Args:
        config: Names the source and the part of it to use; how images are resized and augmented
            does not matter.
        num_examples: How many images of each split to return.
    Raises:
        DataError: If the source is missing or cannot be used; not for a damaged image.
    """
    kind = config.source.partition(":")[0]
    if kind in ("digits", "cifar10", "cifar100"):
        train, test = (_survey(images, num_examples) for images in load(config))
        return Survey(train, test, ())
    # Left in their files: nothing is decoded yet.
    how = {"augmentation": "resized_crop", "damaged": "refuse"}
    train, test = (_survey(images, num_examples) for images in load(config.model_copy(update=how)))
    return Survey(train, test, _skipped(config))


def _skipped(config: DataConfig) -> tuple[Skipped, ...]:
    if config.source.startswith("parquet:"):
        return unused_files(config)
    splits: tuple[Split, ...] = ("train", "test")
    return tuple(one for split in splits for one in class_files(config, split).skipped)


def _survey(images: Images, num_examples: int) -> SplitSurvey:
    counts = torch.bincount(images.labels, minlength=images.num_classes).tolist()
    sample = _sample(images)
    looks = _looks(images, sample)
    good = [number for number, look in enumerate(looks) if look.image is not None]
    labels = images.labels[sample[good]]
    chosen = first_per_class(labels, min(num_examples, len(good)))
    chosen = chosen[torch.argsort(labels[chosen], stable=True)]
    return SplitSurvey(
        per_class=dict(zip(images.class_names, counts, strict=True)),
        num_sampled=len(looks),
        sizes=Counter(look.size for look in looks if look.size),
        modes=Counter(look.mode for look in looks if look.mode),
        num_rotated=sum(look.rotated for look in looks),
        unusable=tuple(look.fault for look in looks if look.fault),
        examples=tuple(
            Shown(image, images.class_names[int(labels[number])])
            for number in chosen.tolist()
            if (image := looks[good[number]].image) is not None
        ),
    )


def _sample(images: Images) -> Tensor:
    """Positions of the sample in `images`, in an order in which reading is cheap."""
    if isinstance(images, ImageSet):
        return torch.arange(len(images))[:: max(1, len(images) // SAMPLE)][:SAMPLE]
    chance = torch.Generator().manual_seed(0)
    order = images.split.shuffled(images.indices, chance)[:SAMPLE]
    return torch.searchsorted(images.indices, order)


@dataclass(frozen=True)
class _Look:
    """What was found out about one image."""

    size: tuple[int, int] | None = None
    mode: str = ""
    rotated: bool = False
    image: Image.Image | None = None
    """RGB, no larger than a thumbnail; None: it cannot be used."""
    fault: str = ""


def _looks(images: Images, sample: Tensor) -> list[_Look]:
    if isinstance(images, StoredImages):
        encoded = list(images.split.encoded(images.indices[sample]))
        # The threads change Python's global warning filters; here these are put back.
        with warnings.catch_warnings(), ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(_look, encoded))
    pixels = images.images[sample].permute(0, 2, 3, 1).contiguous().numpy()
    return [_Look(image.size, image.mode, image=image) for image in map(Image.fromarray, pixels)]


def _look(encoded: Encoded) -> _Look:
    size, mode, rotated = None, "", False
    try:
        data = encoded.content()
        # From the header: size and mode as stored, before the conversion to RGB.
        with contextlib.suppress(Exception), Image.open(io.BytesIO(data)) as image:
            size, mode = image.size, image.mode
            rotated = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT) != UPRIGHT
        decoded = encoded._replace(data=data).image()
    except DataError as error:
        return _Look(size, mode, rotated, fault=str(error))
    decoded.thumbnail((THUMBNAIL, THUMBNAIL))
    return _Look(size, mode, rotated, decoded)
