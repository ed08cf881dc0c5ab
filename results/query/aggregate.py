"""The table people compare methods by: one row per group of trials that differ in seeds only."""

from typing import TYPE_CHECKING, Any

from results.query.stats import mean_std_over_searches
from results.statuses import TrialOutcome
from results.text import clean_text

if TYPE_CHECKING:
    import pandas as pd

GROUP = ["sweep", "group_id"]
DESCRIPTION = ["method", "group_label", "space", "dataset", "recipe"]
COUNTS = {outcome: f"num_{outcome}" for outcome in TrialOutcome}
"""Outcome to the column that counts it; they add up to `planned`."""
MEASURES = {
    "top1_pct": ("test_top1_pct", 1.0),
    "best_top1_pct": ("best_test_top1_pct", 1.0),
    "val_top1_pct": ("val_test_top1_pct", 1.0),
    "params_m": ("params", 1e-6),
    "multadds_m": ("multadds", 1e-6),
    "num_skips_normal": ("num_skips_normal", 1.0),
    "num_skips_layers": ("num_skips_layers", 1.0),
    "search_s": ("search_s", 1.0),
    "retrain_s": ("retrain_s", 1.0),
}
"""Measure to the column of `trial_outcomes` it comes from, and its factor. Each gives the columns
`<measure>_mean` and `<measure>_std`."""
MEASURE_COLUMNS = [f"{measure}_{part}" for measure in MEASURES for part in ("mean", "std")]
COLUMNS = [
    *GROUP,
    *DESCRIPTION,
    "n",
    "planned",
    *COUNTS.values(),
    "complete",
    *MEASURE_COLUMNS,
    "notes",
]
MAX_REASON_BYTES = 160


def aggregate(outcomes: "pd.DataFrame") -> "pd.DataFrame":
    """Mean and sample standard deviation of every group, and what is missing from it.

    Args:
        outcomes: What `results.query.outcomes.trial_outcomes` returns.
    Returns:
        A row per sweep and group, in order of appearance. `n` counts the searches (or random
        genotypes) averaged; retrainings of one genotype are averaged first. Only trials that are
        ok enter a mean; `complete` tells whether all planned ones did; `notes` is a tuple of
        sentences that say why not, and how many images were left out. A measure without values, or
        with one missing, is NaN; so is the spread of one.
    """
    import pandas as pd

    rows = [_group_row(group) for _, group in outcomes.groupby(GROUP, sort=False)]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype(dict.fromkeys(MEASURE_COLUMNS, "float64"))


def _group_row(group: "pd.DataFrame") -> dict[str, Any]:
    ok = group[group["outcome"] == TrialOutcome.OK]
    counts = {column: int((group["outcome"] == end).sum()) for end, column in COUNTS.items()}
    genotype_from = ok["search_key"].fillna(ok["sample_key"]).tolist()
    measures: dict[str, float | None] = {}
    for measure, (column, factor) in MEASURES.items():
        values = (ok[column].astype("float64") * factor).tolist()
        summary = mean_std_over_searches(values, genotype_from)
        measures |= {f"{measure}_mean": summary.mean, f"{measure}_std": summary.std}
    first = group.iloc[0]
    return {
        **{name: first[name] for name in (*GROUP, *DESCRIPTION)},
        "n": len(set(genotype_from)),
        "planned": len(group),
        **counts,
        "complete": len(ok) == len(group),
        **measures,
        "notes": _notes(group),
    }


def _notes(group: "pd.DataFrame") -> tuple[str, ...]:
    """One sentence for each outcome but ok and each reason for it, and one on damaged images."""
    notes = []
    for outcome in (TrialOutcome.FAILED, TrialOutcome.INVALID, TrialOutcome.UNFINISHED):
        trials = group[group["outcome"] == outcome]
        for reason, same in trials.groupby(trials["reason"].fillna(""), sort=False):
            why = f" ({clean_text(str(reason), MAX_REASON_BYTES)})" if reason else ""
            notes.append(f"{len(same)} {outcome}{why}, such as trial {same['trial_id'].iloc[0]}")
    damaged = group[group["num_damaged"].fillna(0) > 0]
    if len(damaged):
        most = damaged.sort_values("num_damaged", ascending=False).iloc[0]
        notes.append(
            f"{len(damaged)} of {len(group)} left out damaged images (up to "
            f"{most['num_damaged']}, named in the logs of trial {most['trial_id']})"
        )
    return tuple(notes)
