"""Compares images with those of a plan, and plans trials again if their images have changed."""

import functools
from dataclasses import replace
from typing import Any

from fairdarts.config import DataConfig
from fairdarts.errors import DataError
from orchestrate.errors import WrongImages
from orchestrate.planning.identity import group_id, stage_key
from orchestrate.planning.plan import Identify, StageSpec, TrialSpec


def check_images(config: dict[str, Any], identify: Identify) -> DataConfig:
    """Check that images are those of the plan, and return their settings.

    Args:
        config: The section `data` of a stage.
        identify: Computes the fingerprint of images.
    Raises:
        WrongImages: If images are missing, or have changed since the sweep was planned.
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
                "`fairdarts sweep resume` plans it again with the new ones; to continue with the "
                "old ones, put back an unchanged copy."
            )
    return data


def with_current_images(trials: list[TrialSpec], identify: Identify) -> list[TrialSpec]:
    """The same trials, planned again with the images as they are now.

    A stage that does not use the changed images keeps its key, so it is not computed again.

    Args:
        trials: A plan as it was submitted.
        identify: Computes the fingerprint of images.
    Raises:
        DataError: If images are missing.
    """
    identify = functools.cache(identify)
    return [_with_current_images(trial, identify) for trial in trials]


def _with_current_images(trial: TrialSpec, identify: Identify) -> TrialSpec:
    stages: list[StageSpec] = []
    # A stage gets a new key if its own images changed, or if the stage before it got a new key.
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
    """The settings in a stage's section `data`, which also has the fingerprints of its images."""
    return DataConfig.build({k: v for k, v in config.items() if k != "fingerprints"}, "data")
