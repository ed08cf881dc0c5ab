"""What makes a trial impossible or meaningless: one list, for plan, `search`, `retrain` and doctor.

Each condition is a function that looks at a `Setup` and returns what is wrong, a sentence without a
full stop, or None. To add one, write it and put it into `REFUSED` or `WARNED`. Nothing here imports
torch: sweeps are planned with it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fairdarts.config import DataConfig, RetrainConfig, SearchConfig
from fairdarts.data.facts import Facts
from fairdarts.errors import ConfigError
from fairdarts.image_size import size_fault
from fairdarts.spaces import CellSpace, get_space

MIN_SIDE = 8
"""Pixels a side below which two or more halvings leave nothing."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Data, and what is to be done with it."""

    data: DataConfig
    facts: Facts
    search: SearchConfig | None = None
    retrain: RetrainConfig | None = None
    """None: this part is not done."""
    space: str = "s1"
    """Of the genotype that is retrained."""

    @property
    def source(self) -> str:
        """How the data is called in a sentence."""
        return self.data.source

    @property
    def has_cells(self) -> bool:
        """Whether the networks have cells (S1), which halve images exactly."""
        return isinstance(get_space(self.space), CellSpace)

    @property
    def search_images(self) -> int:
        """Training images of the smaller half of a search, or all of a single-level one."""
        assert self.search is not None
        halves = 2 if self.search.optimization == "bilevel" else 1
        return self.facts.num_train // halves

    @property
    def retrain_images(self) -> int:
        """Images that a retraining trains on."""
        assert self.retrain is not None
        return self.facts.num_train - self.retrain.num_validation


Condition = Callable[[Setup], str | None]


def refuse(setup: Setup) -> None:
    """See to it that what is set up is possible and means something.

    Raises:
        ConfigError: With the first condition of `REFUSED` that says why not.
    """
    for fault in _faults(REFUSED, setup):
        raise ConfigError(f"{fault}.")


def warnings(setup: Setup) -> list[str]:
    """Sentences about what is possible and yet hardly meant."""
    return [f"{fault}." for fault in _faults(WARNED, setup)]


def _faults(conditions: tuple[Condition, ...], setup: Setup) -> Iterator[str]:
    return (fault for condition in conditions if (fault := condition(setup)) is not None)


def one_class(setup: Setup) -> str | None:
    """Whatever a network says is right."""
    if setup.facts.num_classes > 1:
        return None
    return f"{setup.source} has 1 class, so that every network is right: give it two or more"


def fewer_images_than_classes(setup: Setup) -> str | None:
    """A class without an image cannot be learnt."""
    num_images, num_classes = setup.facts.num_train, setup.facts.num_classes
    if num_images >= num_classes:
        return None
    return (
        f"{num_images} training images of {setup.source} cannot show {num_classes} classes: raise "
        "data.num_train, or lower data.num_classes"
    )


def fewer_than_two_a_half(setup: Setup) -> str | None:
    """Batch norm needs two images."""
    if setup.search is None or setup.search_images >= 2:
        return None
    return (
        f"a search of {setup.facts.num_train} training images has {setup.search_images} for each "
        "half, and batch norm needs 2: raise data.num_train"
    )


def nothing_left_to_train_on(setup: Setup) -> str | None:
    """Held-out images are not trained on."""
    if setup.retrain is None or setup.retrain_images >= 2:
        return None
    return (
        f"retrain.num_validation (={setup.retrain.num_validation}) leaves fewer than 2 of "
        f"{setup.facts.num_train} images to train on: lower it"
    )


def not_square(setup: Setup) -> str | None:
    """Networks are told one size."""
    height, width = setup.facts.height, setup.facts.width
    if height == width:
        return None
    return (
        f"the first image of {setup.source} is {width} x {height} pixels, not square: set "
        "data.image_size to resize them all to one square"
    )


def too_few_pixels(setup: Setup) -> str | None:
    """As small as `data.image_size` may be."""
    side = setup.facts.height
    if side >= MIN_SIDE:
        return None
    return (
        f"images of {side} x {side} pixels are too small, networks need {MIN_SIDE} x {MIN_SIDE}: "
        "set data.image_size to resize them all"
    )


def size_of_the_supernet(setup: Setup) -> str | None:
    """The cells of a supernet halve images twice, those of an S2 supernet whatever there is."""
    if setup.search is None or not setup.has_cells:
        return None
    fault = size_fault(setup.facts.height, setup.facts.width, "cifar", auxiliary=False)
    return fault and f"search: {fault}"


def size_of_the_network(setup: Setup) -> str | None:
    """What the stem and the auxiliary head of a retrained network can take."""
    retrain = setup.retrain
    if retrain is None or not setup.has_cells:
        return None
    has_head = retrain.auxiliary_weight > 0
    fault = size_fault(setup.facts.height, setup.facts.width, retrain.stem, has_head)
    return fault and f"retrain: {fault}"


def cutout_covers_the_image(setup: Setup) -> str | None:
    """Nothing would be left to learn from."""
    side = min(setup.facts.height, setup.facts.width)
    if setup.retrain is None or setup.retrain.cutout < side:
        return None
    return (
        f"retrain.cutout (={setup.retrain.cutout}) erases all of an image of {side} x {side} "
        "pixels: lower it, to half of that or less, or set it to 0"
    )


def augmentation_of_stored_images(setup: Setup) -> str | None:
    """Colours are changed while images are decoded."""
    if setup.retrain is None or setup.data.augmentation == "resized_crop":
        return None
    for setting in ("color_jitter", "auto_augment"):
        if getattr(setup.retrain, setting):
            return (
                f"retrain.{setting} works on images as they are stored: set it to false, or "
                "data.augmentation to resized_crop"
            )
    return None


OWN_SETTINGS = {
    "cells (S1)": ("stem", "init_channels", "num_cells", "auxiliary_weight"),
    "layers (S2)": ("width", "squeeze_excite", "activation", "dropout"),
}
"""Settings of `RetrainConfig` that only networks of this kind have."""


def setting_of_the_other_kind(setup: Setup) -> str | None:
    """It would do nothing."""
    return None if setup.retrain is None else foreign_setting(setup.retrain, setup.has_cells)


def foreign_setting(retrain: RetrainConfig, has_cells: bool) -> str | None:
    """Why a setting does nothing for networks of cells, or else of layers; None if all do."""
    own, other = OWN_SETTINGS if has_cells else reversed(OWN_SETTINGS)
    for setting in OWN_SETTINGS[other]:
        value = getattr(retrain, setting)
        # 0, as of a head or of dropout, says that there is none, which is so.
        if value and value != RetrainConfig.model_fields[setting].default:
            return (
                f"retrain.{setting} (={value}) is for networks of {other}, and those of {own} have "
                f"{', '.join(OWN_SETTINGS[own])}: leave it out, or choose another retrain.recipe"
            )
    return None


REFUSED: tuple[Condition, ...] = (
    setting_of_the_other_kind,
    one_class,
    fewer_images_than_classes,
    fewer_than_two_a_half,
    nothing_left_to_train_on,
    not_square,
    too_few_pixels,
    size_of_the_supernet,
    size_of_the_network,
    cutout_covers_the_image,
    augmentation_of_stored_images,
)
"""What is impossible or means nothing."""


def a_half_without_a_class(setup: Setup) -> str | None:
    """Weights and alphas are trained on halves, and both should see every class."""
    if setup.search is None or setup.search_images >= setup.facts.num_classes:
        return None
    return (
        f"each half of a search has {setup.search_images} images of {setup.facts.num_classes} "
        "classes: some classes are missing in it; raise data.num_train"
    )


def batch_larger_than_half(setup: Setup) -> str | None:
    """A search then has one step an epoch, of fewer images than asked for."""
    if setup.search is None or setup.search.batch_size <= setup.search_images:
        return None
    return (
        f"search.batch_size (={setup.search.batch_size}) is more than the {setup.search_images} "
        "images that a step draws from: each epoch is one smaller step"
    )


def batch_larger_than_data(setup: Setup) -> str | None:
    """Likewise in a retraining."""
    if setup.retrain is None or setup.retrain.batch_size <= setup.retrain_images:
        return None
    return (
        f"retrain.batch_size (={setup.retrain.batch_size}) is more than the {setup.retrain_images} "
        "images to train on: each epoch is one smaller step"
    )


def large_cutout(setup: Setup) -> str | None:
    """More than half a side hides what is in most images."""
    side = min(setup.facts.height, setup.facts.width)
    if setup.retrain is None or setup.retrain.cutout <= side / 2:
        return None
    return (
        f"retrain.cutout (={setup.retrain.cutout}) erases more than half the side of an image of "
        f"{side} x {side} pixels"
    )


WARNED: tuple[Condition, ...] = (
    a_half_without_a_class,
    batch_larger_than_half,
    batch_larger_than_data,
    large_cutout,
)
"""What is possible and hardly meant."""
