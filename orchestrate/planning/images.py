"""The images that a plan was made with: whether they are still the same, and a plan with others."""

import functools
from dataclasses import replace
from typing import Any

from fairdarts.config import DataConfig
from fairdarts.errors import DataError
from orchestrate.errors import WrongImages
from orchestrate.planning.identity import group_id, stage_key
from orchestrate.planning.plan import Identify, StageSpec, TrialSpec


def check_images(config: dict[str, Any], identify: Identify) -> DataConfig:
    """The settings of a stage's images, if these are still the ones that were planned with.

    Args:
        config: The section `data` of a stage.
        identify: What takes the fingerprint of the images.
    Raises:
        WrongImages: If they are not, or not there.
    """
    data = data_settings(config)
    for split, planned in config["fingerprints"].items():
        try:
            found = identify(data, split)
        except DataError as error:
            raise WrongImages(str(error)) from error
        if found != planned:
            raise WrongImages(
                f"the {split} images of {data.source} have changed since the sweep was planned: "
                "`fairdarts sweep resume` plans it anew with them, and an unchanged copy of the "
                "images continues it."
            )
    return data


def with_current_images(trials: list[TrialSpec], identify: Identify) -> list[TrialSpec]:
    """The same trials, planned with the images as they are now.

    Trials whose images have not changed stay as they are; of the others, a stage that does not see
    the changed images keeps its key.

    Args:
        trials: A plan as it was submitted.
        identify: What takes the fingerprint of the images.
    Raises:
        DataError: If images are not there.
    """
    identify = functools.cache(identify)
    return [_with_current_images(trial, identify) for trial in trials]


def _with_current_images(trial: TrialSpec, identify: Identify) -> TrialSpec:
    stages: list[StageSpec] = []
    new_keys: dict[str | None, str] = {}
    for stage in trial.stages:
        config, parent = stage.config, new_keys.get(stage.parent, stage.parent)
        if "data" in config:
            data, read = config["data"], data_settings(config["data"])
            current = {split: identify(read, split) for split in data["fingerprints"]}
            config = config | {"data": data | {"fingerprints": current}}
        if (config, parent) != (stage.config, stage.parent):
            new_keys[stage.key] = stage_key(stage.kind, config, parent)
            stage = StageSpec(stage.kind, new_keys[stage.key], config, parent)
        stages.append(stage)
    if not new_keys:
        return trial
    group = group_id(trial.method, [(stage.kind, stage.config) for stage in stages])
    return replace(trial, stages=tuple(stages), group_id=group)


def data_settings(config: dict[str, Any]) -> DataConfig:
    """What a stage's section `data` says, apart from the fingerprints in it."""
    return DataConfig.build({k: v for k, v in config.items() if k != "fingerprints"}, "data")
