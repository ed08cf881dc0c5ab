"""The table that compares methods: one row for each group of trials that differ only in seeds."""

from typing import TYPE_CHECKING, Any, Literal

from results.query.labels import tell_apart
from results.query.stats import (
    interquartile_mean,
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
AT: dict[str, str] = {"last": "test_top1_pct", "val": "val_test_top1_pct"}
"""Of which epoch the test accuracy counts: the last one, or the best on held-out training images.
(The best on test images would be biased upwards, so it is not offered.)"""
GROUP = ["sweep", "group_id"]
DESCRIPTION = ["method", "group_label", "space", "dataset", "recipe"]
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
    rows = [_group_row(group, measures, at) for _, group in outcomes.groupby(GROUP, sort=False)]
    of_gates = [f"{measure}_{part}" for measure in gates for part in ("mean", "std")]
    frame = pd.DataFrame(rows, columns=[*COLUMNS[:-1], *of_gates, COLUMNS[-1]])
    return frame.astype(dict.fromkeys([*MEASURE_COLUMNS, *SPREADS, *of_gates], "float64"))


def _group_row(
    group: "pd.DataFrame", measures: dict[str, tuple[str, float]], at: At
) -> dict[str, Any]:
    ok = group[group["outcome"] == TrialOutcome.OK]
    counts = {column: int((group["outcome"] == end).sum()) for end, column in COUNTS.items()}
    values_of: dict[str, float | None] = {}
    for measure, (column, factor) in measures.items():
        measured = _measured(group, measure, column)
        values = (measured[column].astype("float64") * factor).tolist()
        summary = mean_std_over_searches(values, genotype_from(measured).tolist())
        values_of |= {f"{measure}_mean": summary.mean, f"{measure}_std": summary.std}
    first = group.iloc[0]
    return {
        **{name: first[name] for name in (*GROUP, *DESCRIPTION)},
        "n": genotype_from(ok).nunique(),
        "planned_searches": genotype_from(group).nunique(),
        "planned": len(group),
        **counts,
        "complete": len(ok) == len(group),
        "num_trainings": _trainings(ok).nunique(),
        **values_of,
        **_spreads(ok, AT[at]),
        "at": at,
        "notes": _notes(group),
    }


def _measured(group: "pd.DataFrame", measure: str, column: str) -> "pd.DataFrame":
    """The trials whose values count."""
    if measure in GATES:  # Of the search, which has them even if no network came of it.
        return group[group[column].notna()]
    ok = group[group["outcome"] == TrialOutcome.OK]
    # A copied result is a result, but its training took no time.
    return ok[ok["trained_as"].isna()] if measure == "retrain_s" else ok


def _spreads(ok: "pd.DataFrame", column: str) -> dict[str, float | int | None]:
    values = ok[column].astype("float64").tolist()
    searches = genotype_from(ok).tolist()
    interval = t_interval(mean_std_over_searches(values, searches))
    # A training that several searches share tells once how much trainings differ.
    distinct = ok[~_trainings(ok).duplicated()]
    num_repeated, retrain_std = spread_within_searches(
        distinct[column].astype("float64").tolist(), genotype_from(distinct).tolist()
    )
    return {
        "top1_pct_low": interval and interval.low,
        "top1_pct_high": interval and interval.high,
        "top1_pct_iqm": interquartile_mean(means_of_searches(values, searches).values()),
        "top1_pct_retrain_std": retrain_std,
        "num_repeated": num_repeated,
    }


def genotype_from(trials: "pd.DataFrame") -> "pd.Series[str]":
    """What counts as independent: one search, or one sampled or given genotype."""
    return trials["search_key"].fillna(trials["sample_key"])


def _trainings(trials: "pd.DataFrame") -> "pd.Series[str]":
    """The stage that trained each trial's network, which may be that of another trial."""
    return trials["trained_as"].fillna(trials["retrain_key"])


def _notes(group: "pd.DataFrame") -> tuple[str, ...]:
    """One for each outcome other than ok and its reasons, one on copies, one on damaged images."""
    notes = []
    for outcome in (TrialOutcome.FAILED, TrialOutcome.INVALID, TrialOutcome.UNFINISHED):
        trials = group[group["outcome"] == outcome]
        for reason, same in trials.groupby(trials["reason"].fillna(""), sort=False):
            why = f" ({clean_text(str(reason), MAX_REASON_BYTES)})" if reason else ""
            notes.append(f"{len(same)} {outcome}{why}, such as trial {same['trial_id'].iloc[0]}")
    ok = group[group["outcome"] == TrialOutcome.OK]
    copied = ok[ok["trained_as"].notna()]
    if len(copied):
        one = copied.iloc[0]
        notes.append(
            f"{len(copied)} of {len(ok)} ok trials came to the genotype of another trial and have "
            f"its result, such as trial {one['trial_id']} that of {one['trained_as']}; the ok "
            f"trials hold {_trainings(ok).nunique()} distinct trainings"
        )
    damaged = group[group["num_damaged"].fillna(0) > 0]
    if len(damaged):
        most = damaged.sort_values("num_damaged", ascending=False).iloc[0]
        notes.append(
            f"{len(damaged)} of {len(group)} left out damaged images (up to "
            f"{most['num_damaged']}, named in the logs of trial {most['trial_id']})"
        )
    return tuple(notes)
