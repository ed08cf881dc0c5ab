"""How failed stages are tried again, by the kind of their failure.

- Out of memory: a search with `search.recompute`, which gives the same numbers in less memory; else
  on a whole GPU, where it had a part of one.
- Diverged: not at all, because the same settings diverge again.
- Any other kind: as it was.

What only a process or a node died of is no failure: such a stage continues with every run.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from fairdarts.config import SearchConfig
from fairdarts.errors import ConfigError
from orchestrate.planning.plan import StageSpec, TrialSpec
from orchestrate.planning.resources import Resources
from orchestrate.planning.submission import Submission, submit
from orchestrate.running.status import TrialStatus
from orchestrate.statuses import Status
from results.statuses import FailureKind
from results.store.store import Store

EVERY_KIND = frozenset(FailureKind)
WORTH_A_TRY = EVERY_KIND - {FailureKind.DIVERGED}
"""Kinds that `sweep retry` tries again unless it is told which."""


def with_remedies(
    store: Store, submission: Submission, statuses: Sequence[TrialStatus], kinds: Collection[str]
) -> tuple[Submission, list[str]]:
    """Change what failed stages need before they are tried again.

    A changed submission is stored, so that later runs of the sweep know of it. No key changes.

    Args:
        store: Where the sweep is.
        submission: Its newest submission.
        statuses: Its trials.
        kinds: Which failures are tried again.
    Returns:
        The submission to run, and a sentence for each thing that is done or left.
    """
    failed = {s.stage.key: s for s in statuses if s.status == Status.FAILED}
    without_memory = [
        status.stage
        for status in failed.values()
        if status.state.failure_kind == FailureKind.OOM and FailureKind.OOM in kinds
    ]
    recomputed = {
        stage.key: changed
        for stage in without_memory
        if (changed := _recomputing(stage)) is not None
    }
    others = [stage for stage in without_memory if stage.key not in recomputed]
    resources = _with_whole_gpus(submission.resources, {stage.kind for stage in others})
    lines = _sentences(failed.values(), kinds, recomputed, others, resources, submission.resources)
    if recomputed or resources != submission.resources:
        trials = [_with_stages(trial, recomputed) for trial in submission.trials]
        submission = submit(store, submission.sweep, trials, resources, submission.origin)
    return submission, lines


def _recomputing(stage: StageSpec) -> StageSpec | None:
    """The same search with `search.recompute`; None if it has it already, or cannot have it."""
    if stage.kind != "search" or stage.config["search"]["recompute"]:
        return None
    changed = stage.config["search"] | {"recompute": True}
    try:
        SearchConfig.build(changed, "search")
    except ConfigError:  # Some methods cannot draw the same random numbers twice.
        return None
    return replace(stage, config=stage.config | {"search": changed})


def _with_stages(trial: TrialSpec, changed: Mapping[str, StageSpec]) -> TrialSpec:
    stages = tuple(changed.get(stage.key, stage) for stage in trial.stages)
    return replace(trial, stages=stages)


def _with_whole_gpus(resources: Resources, kinds: Collection[str]) -> Resources:
    """The same with a whole GPU for stages of these kinds, if they have a part of one."""
    for kind in kinds:
        if 0 < (resources.of(kind).gpus or 0) < 1:
            own = getattr(resources, kind).model_copy(update={"gpus": 1.0})
            resources = resources.model_copy(update={kind: own})
    return resources


def _sentences(
    failed: Collection[TrialStatus],
    kinds: Collection[str],
    recomputed: Collection[str],
    others: Sequence[StageSpec],
    after: Resources,
    before: Resources,
) -> list[str]:
    lines = []
    if recomputed:
        lines.append(
            f"{len(recomputed)} x search ({FailureKind.OOM}): tried again with search.recompute = "
            "true, which gives the same numbers in less memory."
        )
    for kind, number in Counter(stage.kind for stage in others).items():
        changed = after.of(kind) != before.of(kind)
        how = f"on a whole GPU (resources.{kind}.gpus = 1)" if changed else "unchanged"
        lines.append(f"{number} x {kind} ({FailureKind.OOM}): tried again {how}.")
    remedied = {*recomputed, *(stage.key for stage in others)}
    rest = [status for status in failed if status.stage.key not in remedied]
    by_kind = Counter((status.stage.kind, status.state.failure_kind) for status in rest)
    for (kind, failure), number in by_kind.items():
        how = "tried again unchanged" if failure in kinds else "not tried again"
        if failure == FailureKind.DIVERGED and kinds == WORTH_A_TRY:
            how += ": the same settings diverge again (--kind diverged tries it all the same)"
        lines.append(f"{number} x {kind} ({failure}): {how}.")
    return lines
