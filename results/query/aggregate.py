"""The table that compares methods: one row for each group of trials that differ only in seeds."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from results.query.labels import tell_apart
from results.query.stats import (
    interquartile_mean,
    mean_std,
    mean_std_over_searches,
    means_of_searches,
    spread_within_searches,
    t_interval,
)
from results.statuses import TrialOutcome
from results.text import clean_text

if TYPE_CHECKING:
    import pandas as pd

At = Literal["last", "val"]
Trial = Mapping[str, Any]
"""Some columns of a row of `outcomes`."""
AT: dict[str, str] = {"last": "test_top1_pct", "val": "val_test_top1_pct"}
"""Of which epoch the test accuracy counts: the last one, or the best on held-out training images.
(The best on test images would be biased upwards, so it is not offered.)"""
GROUP = ["sweep", "group_id"]
DESCRIPTION = ["method", "group_label", "space", "dataset", "recipe"]
KEYS = [
    "trial_id",
    "outcome",
    "reason",
    "search_key",
    "sample_key",
    "retrain_key",
    "trained_as",
    "num_damaged",
]
"""Columns of `outcomes` that say how a trial ended, and what it shares with others."""
FROM = "genotype_from"
"""What counts as independent: one search, or one sampled or given genotype."""
COUNTS = {outcome: f"num_{outcome}" for outcome in TrialOutcome}
"""For each outcome the column that counts it; these columns add up to `planned`."""
MEASURES = {
    "top1_pct": (AT["last"], 1.0),
    "best_top1_pct": ("best_test_top1_pct", 1.0),
    "val_top1_pct": ("val_test_top1_pct", 1.0),
    "params_m": ("params", 1e-6),
    "multadds_m": ("multadds", 1e-6),
    "num_skips_normal": ("num_skips_normal", 1.0),
    "num_skips_layers": ("num_skips_layers", 1.0),
    "search_s": ("search_s", 1.0),
    "retrain_s": ("retrain_s", 1.0),
}
"""For each measure its column in `trial_outcomes`, and a factor (1e-6: to millions). A measure
gives the columns `<measure>_mean` and `<measure>_std`."""
GATES = {
    "dominant": ("num_dominant", 1.0),
    "dominant_skips": ("num_dominant_skip", 1.0),
    "polarised_pct": ("polarised_pct", 1.0),
}
"""Measures of outcomes to which `results.query.gates.with_gates` added its columns."""
SPREADS = ("top1_pct_low", "top1_pct_high", "top1_pct_iqm", "top1_pct_retrain_std")
"""Both ends of the 95 % t-interval of the mean over searches, the mean without the lowest and the
highest quarter (from 8 searches), and the spread between retrainings of one search."""
MEASURE_COLUMNS = [f"{measure}_{part}" for measure in MEASURES for part in ("mean", "std")]
COLUMNS = [
    *GROUP,
    *DESCRIPTION,
    "n",
    "planned_searches",
    "planned",
    *COUNTS.values(),
    "complete",
    "num_trainings",
    *MEASURE_COLUMNS,
    *SPREADS,
    "num_repeated",
    "at",
    "notes",
]
MAX_REASON_BYTES = 160


def aggregate(outcomes: "pd.DataFrame", at: At = "last") -> "pd.DataFrame":
    """Compute mean and sample standard deviation of every group, and note what is missing.

    Args:
        outcomes: What `results.query.outcomes.trial_outcomes` returns.
        at: The epoch whose test accuracy is `top1_pct`, see `AT`.
    Returns:
        A row for each sweep and group, in order of appearance. `n` counts the searches (or random
        genotypes) in the mean, out of `planned_searches`; retrainings of one genotype are averaged
        first. `planned` and the counts of outcomes are numbers of trials. Only trials that are ok
        enter a mean; `complete` is true if all planned ones did. `num_trainings` counts their
        distinct trainings: searches that came to the same genotype share one, and its time is in
        the mean once. `num_repeated` counts the trainings beyond the first of each search, on which
        `top1_pct_retrain_std` rests. `notes` is a tuple of sentences: why trials are missing, which
        trainings are shared, and how many images were left out. A measure with no value, or with
        one value missing, is NaN; so is the spread of a single value. Labels that several groups of
        a sweep share get the settings that tell them apart.
    """
    import pandas as pd

    outcomes = tell_apart(outcomes)
    gates = {name: one for name, one in GATES.items() if one[0] in outcomes}
    measures = MEASURES | {"top1_pct": (AT[at], 1.0)} | gates
    groups: dict[tuple[Any, ...], list[Trial]] = {}
    for trial in _trials(outcomes, [column for column, _ in measures.values()]):
        groups.setdefault(tuple(trial[name] for name in GROUP), []).append(trial)
    rows = [_group_row(group, measures, at) for group in groups.values()]
    of_gates = [f"{measure}_{part}" for measure in gates for part in ("mean", "std")]
    frame = pd.DataFrame(rows, columns=[*COLUMNS[:-1], *of_gates, COLUMNS[-1]])
    return frame.astype(dict.fromkeys([*MEASURE_COLUMNS, *SPREADS, *of_gates], "float64"))


def _trials(outcomes: "pd.DataFrame", measured: list[str]) -> "list[Trial]":
    """The columns that are needed of each trial, with None for what is missing.

    Plain rows, because filtering a wide frame for each of a thousand groups would take minutes.
    """
    names = list(dict.fromkeys([*GROUP, *DESCRIPTION, *KEYS, *measured]))
    some = outcomes[names]
    columns = some.astype(object).where(some.notna(), None)
    searches = columns["search_key"].where(some["search_key"].notna(), columns["sample_key"])
    rows = zip(*(columns[name].tolist() for name in names), searches.tolist(), strict=True)
    return [dict(zip((*names, FROM), row, strict=True)) for row in rows]


def _group_row(
    group: list[Trial], measures: dict[str, tuple[str, float]], at: At
) -> dict[str, Any]:
    ok = _ok(group)
    counts = {
        column: sum(trial["outcome"] == end for trial in group) for end, column in COUNTS.items()
    }
    values_of: dict[str, float | None] = {}
    for measure, (column, factor) in measures.items():
        measured = _measured(group, measure, column)
        values = [value * factor for value in _values(measured, column)]
        summary = mean_std_over_searches(values, _searches(measured))
        values_of |= {f"{measure}_mean": summary.mean, f"{measure}_std": summary.std}
    return {
        **{name: group[0][name] for name in (*GROUP, *DESCRIPTION)},
        "n": len(set(_searches(ok))),
        "planned_searches": len(set(_searches(group))),
        "planned": len(group),
        **counts,
        "complete": len(ok) == len(group),
        "num_trainings": len({_training(trial) for trial in ok} - {None}),
        **values_of,
        **_spreads(ok, AT[at]),
        "at": at,
        "notes": (*_notes(group), *_not_measured(ok, at)),
    }


def _ok(group: list[Trial]) -> list[Trial]:
    return [trial for trial in group if trial["outcome"] == TrialOutcome.OK]


def _values(trials: list[Trial], column: str) -> list[float]:
    """Values of a column, NaN where there is none."""
    return [math.nan if (value := trial[column]) is None else float(value) for trial in trials]


def _measured(group: list[Trial], measure: str, column: str) -> list[Trial]:
    """The trials whose values count."""
    if measure in GATES:  # Of the search, which has them even if no network came of it.
        return [trial for trial in group if trial[column] is not None]
    # A copied result is a result, but its training took no time.
    timed = measure == "retrain_s"
    return [trial for trial in _ok(group) if not (timed and trial["trained_as"])]


def _spreads(ok: list[Trial], column: str) -> dict[str, float | int | None]:
    means = means_of_searches(_values(ok, column), _searches(ok)).values()
    interval = t_interval(mean_std(means))
    # A training that several searches share tells once how much trainings differ.
    distinct = list({_training(trial): trial for trial in reversed(ok)}.values())
    num_repeated, retrain_std = spread_within_searches(
        _values(distinct, column), _searches(distinct)
    )
    return {
        "top1_pct_low": interval and interval.low,
        "top1_pct_high": interval and interval.high,
        "top1_pct_iqm": interquartile_mean(means),
        "top1_pct_retrain_std": retrain_std,
        "num_repeated": num_repeated,
    }


def _searches(trials: list[Trial]) -> list[str]:
    return [trial[FROM] for trial in trials]


def _training(trial: Trial) -> str | None:
    """The stage that trained the trial's network, which may be that of another trial."""
    key: str | None = trial["trained_as"] or trial["retrain_key"]
    return key


def _not_measured(ok: list[Trial], at: At) -> tuple[str, ...]:
    """Why finished trials have no accuracy."""
    if at == "val" and ok and all(trial[AT[at]] is None for trial in ok):
        return ("no training images were held out (retrain.num_validation) to choose an epoch",)
    return ()


def _notes(group: list[Trial]) -> tuple[str, ...]:
    """One for each outcome other than ok and its reasons, one on copies, one on damaged images."""
    notes = []
    for outcome in (TrialOutcome.FAILED, TrialOutcome.INVALID, TrialOutcome.UNFINISHED):
        by_reason: dict[str, list[Trial]] = {}
        for trial in group:
            if trial["outcome"] == outcome:
                by_reason.setdefault(trial["reason"] or "", []).append(trial)
        for reason, same in sorted(by_reason.items()):
            why = f" ({clean_text(reason, MAX_REASON_BYTES)})" if reason else ""
            notes.append(f"{len(same)} {outcome}{why}, such as trial {same[0]['trial_id']}")
    ok = _ok(group)
    copied = [trial for trial in ok if trial["trained_as"]]
    if copied:
        trainings = {_training(trial) for trial in ok}
        notes.append(
            f"{len(copied)} of {len(ok)} ok trials came to the genotype of another trial and have "
            f"its result, such as trial {copied[0]['trial_id']} that of {copied[0]['trained_as']}; "
            f"the ok trials hold {len(trainings)} distinct trainings"
        )
    damaged = [trial for trial in group if trial["num_damaged"]]
    if damaged:
        most = max(damaged, key=lambda trial: trial["num_damaged"])
        notes.append(
            f"{len(damaged)} of {len(group)} left out damaged images (up to "
            f"{most['num_damaged']}, named in the logs of trial {most['trial_id']})"
        )
    return tuple(notes)
