"""What a plan consists of: trials, which are chains of stages, and groups that repeat a trial."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orchestrate.planning.identity import Seeds, StageKeys, seeds_of, with_seeds


@dataclass(frozen=True)
class StageSpec:
    """One stage: what it computes."""

    kind: str
    """search, derive, sample, given or retrain."""
    key: str
    """Its name, see `identity.stage_key`."""
    config: dict[str, Any]
    """Its settings, with the fingerprints of its images."""
    parent: str | None
    """Key of the stage before it, whose rows it reads."""

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "StageSpec":
        """The inverse of `dataclasses.asdict`."""
        return cls(**value)


@dataclass(frozen=True)
class TrialSpec:
    """A chain of stages: search -> derive -> retrain, sample -> retrain, or given -> retrain."""

    label: str
    """Its name for people: the method, and the settings that differ from other trials."""
    group_label: str
    """The same without seeds: a row of a table."""
    group_id: str
    """See `identity.group_id`."""
    method: str
    """Search method, or `random` or `given`."""
    dataset: str
    recipe: str
    stages: tuple[StageSpec, ...]

    @property
    def trial_id(self) -> str:
        """Key of the last stage, which depends on the settings of all stages."""
        return self.stages[-1].key

    def stage(self, *kinds: str) -> StageSpec | None:
        """The trial's first stage of one of these kinds; None if it has no such stage."""
        return next((stage for stage in self.stages if stage.kind in kinds), None)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> "TrialSpec":
        """The inverse of `dataclasses.asdict`."""
        stages = tuple(map(StageSpec.from_dict, value["stages"]))
        return cls(**(value | {"stages": stages}))


class Group:
    """Trials that differ only in their seeds.

    The first one is resolved and checked. The others repeat it with other seeds, which takes a
    fraction of the time: a sweep may have ten thousand of them.

    Args:
        first: One of them.
    """

    def __init__(self, first: TrialSpec) -> None:
        self._first = first
        self._seeds = [seeds_of(stage.kind, stage.config) for stage in first.stages]

    @cached_property
    def _keys(self) -> list[StageKeys]:
        return [StageKeys(stage.kind, stage.config) for stage in self._first.stages]

    def trial(
        self, label: str, seeds: Mapping[str, Seeds], known: Sequence[str] | None = None
    ) -> TrialSpec:
        """One of the trials.

        Args:
            label: Its label.
            seeds: Its seeds for each kind of stage that has some.
            known: The keys of its stages; None: compute them.
        """
        stages: list[StageSpec] = []
        parent = None
        for place, stage in enumerate(self._first.stages):
            own, config = self._seeds[place], stage.config
            if stage.kind in seeds:
                own = own | seeds[stage.kind]
                config = with_seeds(stage.kind, config, own)
            key = known[place] if known else self._keys[place].key(own, parent)
            stages.append(StageSpec(stage.kind, key, config, parent))
            parent = key
        first = self._first
        return TrialSpec(
            label=label,
            group_label=first.group_label,
            group_id=first.group_id,
            method=first.method,
            dataset=first.dataset,
            recipe=first.recipe,
            stages=tuple(stages),
        )
