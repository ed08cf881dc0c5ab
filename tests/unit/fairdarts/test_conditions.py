"""Every condition has a set-up that it refuses or warns of, and says what to set."""

from typing import Any

import pytest

from fairdarts.conditions import REFUSED, WARNED, Condition, Setup, refuse, warnings
from fairdarts.config import DataConfig, RetrainConfig, SearchConfig
from fairdarts.data.facts import Facts
from fairdarts.errors import ConfigError

CIFAR = {"num_classes": 10, "num_train": 50_000, "num_test": 10_000, "height": 32, "width": 32}


def setup(
    search: dict[str, Any] | None = None,
    retrain: dict[str, Any] | None = None,
    space: str = "s1",
    **facts: int,
) -> Setup:
    return Setup(
        data=DataConfig(),
        facts=Facts(**CIFAR | facts),
        search=None if search is None else SearchConfig(**search),
        retrain=None if retrain is None else RetrainConfig(**retrain),
        space=space,
    )


CASES: dict[str, tuple[Setup, str]] = {
    "setting_of_the_other_kind": (setup(retrain={"width": 2.0}), "retrain.width (=2.0)"),
    "one_class": (setup(num_classes=1), "two or more"),
    "fewer_images_than_classes": (setup(num_train=9), "data.num_train"),
    "fewer_than_two_a_half": (setup({}, num_train=3, num_classes=2), "data.num_train"),
    "nothing_left_to_train_on": (
        setup(retrain={"num_validation": 99}, num_train=100),
        "retrain.num_validation (=99)",
    ),
    "not_square": (setup(height=32, width=48), "48 x 32"),
    "too_few_pixels": (setup(height=4, width=4), "data.image_size"),
    "size_of_the_supernet": (setup({}, height=30, width=30), "divisible by 4"),
    "size_of_the_network": (setup(retrain={}, height=28, width=28), "auxiliary_weight"),
    "cutout_covers_the_image": (setup(retrain={"cutout": 32}), "retrain.cutout (=32)"),
    "augmentation_of_stored_images": (
        setup(retrain={"color_jitter": True}),
        "data.augmentation to resized_crop",
    ),
    "a_half_without_a_class": (setup({}, num_train=19), "data.num_train"),
    "batch_larger_than_half": (setup({"batch_size": 300}, num_train=500), "(=300)"),
    "batch_larger_than_data": (
        setup(retrain={"batch_size": 96, "num_validation": 10}, num_train=100),
        "(=96) is more than the 90",
    ),
    "large_cutout": (setup(retrain={"cutout": 17}), "retrain.cutout (=17)"),
}


@pytest.mark.parametrize("condition", REFUSED, ids=lambda condition: condition.__name__)
def test_every_condition_of_the_list_refuses_its_case(condition: Condition) -> None:
    case, words = CASES[condition.__name__]
    assert words in (condition(case) or "")
    with pytest.raises(ConfigError):
        refuse(case)


@pytest.mark.parametrize("condition", WARNED, ids=lambda condition: condition.__name__)
def test_every_warning_of_the_list_has_its_case_and_does_not_refuse(condition: Condition) -> None:
    case, words = CASES[condition.__name__]
    assert words in (condition(case) or "")
    refuse(case)
    assert f"{condition(case)}." in warnings(case)


def test_the_papers_settings_are_neither_refused_nor_warned_of() -> None:
    for case in (
        setup({}, {}),
        setup(retrain={"stem": "imagenet", "cutout": 0}, height=224, width=224, num_train=10**6),
        setup(retrain={"cutout": 0}, space="s2", height=225, width=225),  # any size will do
    ):
        refuse(case)
        assert warnings(case) == []


@pytest.mark.parametrize("side", [64, 228, 96, 225])
def test_sizes_that_the_imagenet_stem_cannot_take_are_refused(side: int) -> None:
    case = setup(retrain={"stem": "imagenet", "cutout": 0}, height=side, width=side)
    with pytest.raises(ConfigError, match="retrain"):
        refuse(case)


def test_a_single_level_search_has_all_images() -> None:
    single = {"optimization": "single_level", "batch_size": 400}
    assert warnings(setup(single, num_train=500)) == []


def test_each_kind_of_network_refuses_the_settings_of_the_other() -> None:
    s2 = {"space": "s2", "height": 224, "width": 224}
    for name, value in {"stem": "imagenet", "init_channels": 9, "num_cells": 4}.items():
        with pytest.raises(ConfigError, match=f"retrain.{name}"):
            refuse(setup(retrain={name: value, "cutout": 0}, **s2))
        refuse(setup(retrain={name: value, "cutout": 0}, height=224, width=224))
    for name, value in {"squeeze_excite": True, "activation": "swish", "dropout": 0.1}.items():
        with pytest.raises(ConfigError, match=f"retrain.{name}"):
            refuse(setup(retrain={name: value}))
        refuse(setup(retrain={name: value, "cutout": 0}, **s2))
    without_head = {"auxiliary_weight": 0.0, "cutout": 0}
    refuse(setup(retrain=without_head, **s2))  # There is none anyway.
