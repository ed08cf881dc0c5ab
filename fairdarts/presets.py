"""How methods, search spaces and recipes change the defaults of `fairdarts.config`, by name."""

from typing import Any

_IMAGENET_S2: dict[str, Any] = {
    "epochs": 350,
    "batch_size": 256,
    "optimizer": "rmsprop",
    "lr": 0.016,
    "lr_schedule": "exponential",
    "lr_decay_epochs": 2.4,
    "warmup_epochs": 5,
    "weight_decay": 1e-5,
    "decay_norms": False,
    "grad_clip": 0.0,
    "label_smoothing": 0.1,
    "dropout": 0.2,
    "ema_decay": 0.9999,
    "auxiliary_weight": 0.0,
    "cutout": 0,
    "drop_path": 0.0,
}

RECIPES: dict[str, dict[str, Any]] = {
    # The authors state that 97.46 % took 1600 epochs and that 600 give about 97.2 %.
    "cifar-600": {"epochs": 600},
    "cifar-1600": {"epochs": 1600},
    # Paper Section 5.2: cells of S1 on ImageNet, trained as DARTS (arXiv:1806.09055) trains.
    "imagenet-transfer": {
        "stem": "imagenet",
        "init_channels": 48,
        "num_cells": 14,
        "epochs": 250,
        "batch_size": 128,
        "lr": 0.1,
        "lr_schedule": "exponential",
        "weight_decay": 3e-5,
        "label_smoothing": 0.1,
        "cutout": 0,
        "color_jitter": True,
        "drop_path": 0.0,
    },
    # Paper Section 5.3 trains networks of S2 as MnasNet (arXiv:1807.11626) is trained.
    "imagenet-s2": _IMAGENET_S2,
    # Table 2's "C with SE": squeeze-and-excitation, Swish and AutoAugment.
    "imagenet-s2-se": _IMAGENET_S2
    | {"squeeze_excite": True, "activation": "swish", "auto_augment": True},
}
"""Named retraining recipes, with the settings of each."""

_DARTS: dict[str, Any] = {
    "relaxation": "softmax",
    "zero_one_weight": 0.0,
    "batch_size": 64,
    "weight_lr": 0.025,
    "alpha_lr": 3e-4,
    "alpha_beta1": 0.5,
    "alpha_init_std": 1e-3,
}


def _darts_with(**search: Any) -> dict[str, dict[str, Any]]:
    return {
        "search": _DARTS | search,
        "derive": {"rule": "darts"},
        "retrain": {"drop_path_mode": "edge"},
    }


METHODS: dict[str, dict[str, dict[str, Any]]] = {
    "fairdarts": {"search": {}, "derive": {}, "retrain": {}},
    "darts": _darts_with(),
    "darts-second-order": _darts_with(order=2),
    "darts-skip-noise": _darts_with(perturbation="skip_noise"),
    "darts-skip-dropout": _darts_with(perturbation="skip_dropout", perturbation_strength=0.4),
    "darts-drop-path": _darts_with(perturbation="drop_path", perturbation_strength=0.4),
    "darts-two-skips": _darts_with(stopping="two_skips"),
    "darts-eigenvalue": _darts_with(stopping="eigenvalue"),
}
"""Search methods, with the defaults that each changes (DARTS: arXiv:1806.09055).

The last five are DARTS with the cures that the paper compares in Section 6.3.
"""

_S2: dict[str, dict[str, Any]] = {
    "search": {
        "epochs": 30,
        "batch_size": 1024,
        "weight_lr": 0.02,
        "weight_lr_min": 0.0,
        "alpha_lr": 5e-4,
    },
    "derive": {"rule": "threshold_edge", "op_threshold": 0.75},
    "retrain": {"recipe": "imagenet-s2"},
}
SPACE_SETTINGS: dict[str, dict[str, dict[str, Any]]] = {"s2": _S2, "s2_identity_skip": _S2}
"""Search spaces, with the defaults that each changes (paper Section 5.3, supplement Section 3.2).

The zero-one loss keeps its weight of 10 (supplementary Table 1, experiment 8). Supplementary
Section 3.2 says 1.0, which can move a gate away from 0.5 only without weight decay of the alphas.
To try it, set both `zero_one_weight = 1.0` and `alpha_weight_decay = 0.0`.
"""


def presets(method: str, space: str) -> dict[str, dict[str, Any]]:
    """The defaults that a method changes in a space, by section of the settings.

    Methods are written for S1, so what a space says about the search and the retraining wins. But a
    method with a derivation rule of its own keeps that rule in every space.
    """
    by_method, by_space = METHODS[method], SPACE_SETTINGS.get(space, {})
    return {
        "search": by_method["search"] | by_space.get("search", {}),
        "derive": by_space.get("derive", {}) | by_method["derive"],
        "retrain": by_method["retrain"] | by_space.get("retrain", {}),
    }
