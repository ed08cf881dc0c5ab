"""What makes a trial impossible or meaningless: one list, for plan, `search`, `retrain` and doctor.

Each condition is a function that looks at a `Setup` and returns what is wrong, as a sentence
without a full stop, or None. To add a condition, write the function and put it into `REFUSED` or
`WARNED`. Nothing here imports torch, because planning a sweep must not load it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fairdarts.config import DataConfig, RetrainConfig, SearchConfig
from fairdarts.data.facts import Facts
from fairdarts.errors import ConfigError
from fairdarts.image_size import size_fault
from fairdarts.spaces import CellSpace, get_space

MIN_SIDE = 8
"""Smallest height and width in pixels; after two or more halvings less would leave nothing."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A data set, and what a trial does with it."""

    data: DataConfig
    facts: Facts
    search: SearchConfig | None = None
    """None: the trial does not search."""
    retrain: RetrainConfig | None = None
    """None: the trial does not retrain."""
    space: str = "s1"
    """Search space of the network that is searched or retrained."""

    @property
    def source(self) -> str:
        """Name of the data in a sentence."""
        return self.data.source

    @property
    def has_cells(self) -> bool:
        """Whether the networks have cells (S1), which halve images exactly."""
        return isinstance(get_space(self.space), CellSpace)

    @property
    def search_images(self) -> int:
        """Training images in the smaller half of a search; all of them if it has a single level."""
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
    """Check that a setup is possible and means something.

    Raises:
        ConfigError: What the first condition of `REFUSED` says against it.
    """
    for fault in _faults(REFUSED, setup):
        raise ConfigError(f"{fault}.")


def faults(setup: Setup) -> list[str]:
    """Every sentence of `REFUSED` that holds; `refuse` stops at the first one."""
    return [f"{fault}." for fault in _faults(REFUSED, setup)]


def warnings(setup: Setup) -> list[str]:
    """Sentences about what is possible but probably a mistake."""
    return [f"{fault}." for fault in _faults(WARNED, setup)]


def _faults(conditions: tuple[Condition, ...], setup: Setup) -> Iterator[str]:
    return (fault for condition in conditions if (fault := condition(setup)) is not None)


def one_class(setup: Setup) -> str | None:
    """Every answer of a network would be right."""
    if setup.facts.num_classes > 1:
        return None
    return f"{setup.source} has 1 class, so every network is right: give it two or more"


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
    """The held-out images are not used for training."""
    if setup.retrain is None or setup.retrain_images >= 2:
        return None
    return (
        f"retrain.num_validation (={setup.retrain.num_validation}) leaves fewer than 2 of "
        f"{setup.facts.num_train} images to train on: lower it"
    )


def not_square(setup: Setup) -> str | None:
    """Networks take square images only."""
    height, width = setup.facts.height, setup.facts.width
    if height == width:
        return None
    return (
        f"the first image of {setup.source} is {width} x {height} pixels, not square: set "
        "data.image_size to resize them all to one square"
    )


def too_few_pixels(setup: Setup) -> str | None:
    """The smallest size is that of `data.image_size`."""
    side = setup.facts.height
    if side >= MIN_SIDE:
        return None
    return (
        f"images of {side} x {side} pixels are too small, networks need {MIN_SIDE} x {MIN_SIDE}: "
        "set data.image_size to resize them all"
    )


def size_of_the_supernet(setup: Setup) -> str | None:
    """The cells of a supernet halve images twice; an S2 supernet takes images of any size."""
    if setup.search is None or not setup.has_cells:
        return None
    fault = size_fault(setup.facts.height, setup.facts.width, "cifar", auxiliary=False)
    return fault and f"search: {fault}; data.image_size resizes all images"


def size_of_the_network(setup: Setup) -> str | None:
    """The stem and the auxiliary head of a retrained network must fit the image."""
    retrain = setup.retrain
    if retrain is None or not setup.has_cells:
        return None
    has_head = retrain.auxiliary_weight > 0
    fault = size_fault(setup.facts.height, setup.facts.width, retrain.stem, has_head)
    return fault and f"retrain: {fault}; data.image_size resizes all images"


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
    """Color jitter and AutoAugment work only while images are decoded for each batch."""
    if setup.retrain is None or setup.data.augmentation == "resized_crop":
        return None
    for setting in ("color_jitter", "auto_augment"):
        if getattr(setup.retrain, setting):
            return (
                f"retrain.{setting} needs images that are decoded for each batch: set it to false, "
                "or data.augmentation to resized_crop"
            )
    return None


OWN_SETTINGS = {
    "cells (S1)": ("stem", "init_channels", "num_cells", "auxiliary_weight"),
    "layers (S2)": ("width", "squeeze_excite", "activation", "dropout"),
}
"""Settings of `RetrainConfig` that only networks of this kind have."""


def setting_of_the_other_kind(setup: Setup) -> str | None:
    """A setting of the other kind of network would do nothing."""
    return None if setup.retrain is None else foreign_setting(setup.retrain, setup.has_cells)


def foreign_setting(retrain: RetrainConfig, has_cells: bool) -> str | None:
    """Why a setting does nothing for networks of cells (else: of layers); None if there is none."""
    own, other = OWN_SETTINGS if has_cells else reversed(OWN_SETTINGS)
    for setting in OWN_SETTINGS[other]:
        value = getattr(retrain, setting)
        # 0 turns a part off that these networks do not have anyway, such as a head: no fault.
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
    """Weights and alphas train on one half each, and both should see every class."""
    if setup.search is None or setup.search_images >= setup.facts.num_classes:
        return None
    return (
        f"each half of a search has {setup.search_images} images of {setup.facts.num_classes} "
        "classes, so some classes are missing in it: raise data.num_train"
    )


def batch_larger_than_half(setup: Setup) -> str | None:
    """A search then has one step in each epoch, with fewer images than asked for."""
    if setup.search is None or setup.search.batch_size <= setup.search_images:
        return None
    return (
        f"search.batch_size (={setup.search.batch_size}) is more than the {setup.search_images} "
        "images that a step draws from: each epoch has a single step with all of them"
    )


def batch_larger_than_data(setup: Setup) -> str | None:
    """A retraining then has one step in each epoch, with fewer images than asked for."""
    if setup.retrain is None or setup.retrain.batch_size <= setup.retrain_images:
        return None
    return (
        f"retrain.batch_size (={setup.retrain.batch_size}) is more than the {setup.retrain_images} "
        "images to train on: each epoch has a single step with all of them"
    )


def large_cutout(setup: Setup) -> str | None:
    """A larger square hides the object in most images."""
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
"""What is possible but probably a mistake."""
