"""Comparing methods: each row of a table with one of them, or two methods with each other.

A method is named as its row of the table is: by label, by method, or by the first digits of its
group id. Only methods with the same data set and recipe are compared.
"""

from collections.abc import Hashable
from dataclasses import asdict
from statistics import fmean
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.query.aggregate import AT, At, aggregate
from results.query.comparison import compare, holm
from results.query.ids import looks_like_id
from results.query.labels import tell_apart
from results.query.stats import means_of_searches
from results.query.typed import typed
from results.statuses import TrialOutcome

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

COMPARABLE = ["dataset", "recipe"]
RANDOM = "random"
COLUMNS = (
    "versus",
    "num_pairs",
    "difference",
    "difference_low",
    "difference_high",
    "test",
    "p",
    "smallest_p",
    "p_holm",
    "outperforms",
    "random_improvement_pct",
)
"""What `add_versus` adds: see `results.query.comparison.Comparison`; `p_holm` is corrected for all
comparisons of a block; `random_improvement_pct` see `random_improvement`."""

SIDE = ("top1_pct_mean", "top1_pct_std", "num_ok", "planned", "num_trainings")
"""Columns of `aggregate` for each of two methods: accuracy, trials and distinct trainings."""

Values = dict[Hashable, float]


def pooled(outcomes: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """Trials of several sweeps as one sweep, each trial once.

    Sweeps call a group differently: by what varies in each. It gets the shortest of its labels, and
    `tell_apart` adds what differs here.

    Args:
        outcomes: What `results.query.outcomes.trial_outcomes` returns.
        name: Name of that sweep.
    """
    labels = outcomes.groupby("group_id")["group_label"].agg(
        lambda some: min(some, key=lambda label: (len(label), label))
    )
    trials = outcomes.drop_duplicates("trial_id")
    return trials.assign(sweep=name, group_label=trials["group_id"].map(labels))


def values_of(trials: "pd.DataFrame", at: At = "last") -> Values:
    """The mean accuracy of each search of a group, by its seed where that identifies it.

    Samples have no seed in common with searches, so their keys are their own.
    """
    ok = trials[(trials["outcome"] == TrialOutcome.OK) & trials[AT[at]].notna()]
    searches = ok["search_key"].fillna(ok["sample_key"])
    means = means_of_searches(ok[AT[at]].astype("float64").tolist(), searches.tolist())
    firsts = ok[~searches.duplicated()]
    seeds = firsts["search_seed"].tolist()
    if len(set(seeds)) < len(seeds) or firsts["search_key"].isna().any():
        return means
    return dict(zip(seeds, means.values(), strict=True))


def add_versus(
    aggregated: "pd.DataFrame", outcomes: "pd.DataFrame", versus: str, at: At = "last"
) -> "pd.DataFrame":
    """Compare every row of a table with one of its methods.

    Args:
        aggregated: What `results.query.aggregate.aggregate` made of the outcomes.
        outcomes: What `results.query.outcomes.trial_outcomes` returns.
        versus: The method to compare with; of the same sweep where that has it, else of another.
        at: As in `aggregate`.
    Returns:
        The table with `COLUMNS`, empty where nothing is to compare.
    Raises:
        QueryError: If there is no such method, or several are called so.
    """
    import pandas as pd

    outcomes = tell_apart(outcomes)
    groups = dict(iter(outcomes.groupby(["sweep", "group_id"], sort=False)))
    wanted = [key for key, trials in groups.items() if _is_called(trials.iloc[0], versus)]
    if not wanted:
        raise _unknown(outcomes, versus)
    rows: dict[Any, dict[str, Any]] = {}
    for _, block in aggregated.groupby(["sweep", "space", *COMPARABLE], sort=False, dropna=False):
        keys = list(zip(block["sweep"], block["group_id"], strict=True))
        base = _base(groups, wanted, groups[keys[0]].iloc[0], versus)
        if base is None:
            continue
        reference = values_of(groups[base], at)
        others = [key for key in keys if key[1] != base[1]]
        found = [compare(values_of(groups[key], at), reference) for key in others]
        corrected = holm([one.p for one in found])
        label = groups[base]["group_label"].iloc[0]
        if base[0] != keys[0][0]:
            label = f"{label} of {base[0]}"
        for key, one, p_holm in zip(others, found, corrected, strict=True):
            fields = {name: getattr(one, name) for name in COLUMNS if hasattr(one, name)}
            ends = {"difference_low": one.low, "difference_high": one.high}
            improvement = random_improvement(groups[key], groups[base], at)
            ends["random_improvement_pct"] = improvement
            rows[key] = fields | ends | {"versus": label, "p_holm": p_holm}
    added = [
        rows.get(key, {}) for key in zip(aggregated["sweep"], aggregated["group_id"], strict=True)
    ]
    frame = pd.DataFrame(added, columns=list(COLUMNS), index=aggregated.index)
    texts = {"versus": "object", "test": "object", "num_pairs": "Int64"}
    frame = frame.astype({name: texts.get(name, "float64") for name in COLUMNS})
    return aggregated.drop(columns="notes").join(frame).assign(notes=aggregated["notes"])


def random_improvement(
    trials: "pd.DataFrame", samples: "pd.DataFrame", at: At = "last"
) -> float | None:
    """By how much a method is better than random sampling, in per cent of the latter's accuracy.

    Args:
        trials: Outcomes of the method.
        samples: Outcomes of random models with the same data set and recipe.
        at: As in `add_versus`.
    Returns:
        None where these are no random models, or those of another space, or one has no result.
    Source:
        Yang et al., NAS evaluation is frustratingly hard, ICLR 2020, arXiv:1912.12522.
    """
    one, other = trials.iloc[0], samples.iloc[0]
    means, reference = (list(values_of(group, at).values()) for group in (trials, samples))
    if other["method"] != RANDOM or one["space"] != other["space"] or not (means and reference):
        return None
    return 100 * (fmean(means) / fmean(reference) - 1)


def compare_methods(
    outcomes: "pd.DataFrame", first: str, second: str, at: At = "last"
) -> "pa.Table":
    """Compare two methods, wherever they have a data set and a recipe in common.

    Args:
        outcomes: What `results.query.outcomes.trial_outcomes` returns, of any sweeps.
        first: The one, A.
        second: The other, B.
        at: As in `results.query.aggregate.aggregate`.
    Returns:
        A row for each data set and recipe: `SIDE` of both as columns `..._a` and `..._b`, those of
        `Comparison`, and the seeds of only one of both, which are in no pair.
    Raises:
        QueryError: If there is no such method, several are called so, or nothing is in common.
    """
    outcomes = tell_apart(pooled(outcomes, ""), COMPARABLE)
    of_a, of_b = (_called(outcomes, name) for name in (first, second))
    rows = []
    for where in [key for key in of_a if key in of_b]:
        a, b = of_a[where], of_b[where]
        values_a, values_b = values_of(a, at), values_of(b, at)
        found = asdict(compare(values_a, values_b))
        alone = sorted(map(str, values_a.keys() ^ values_b.keys())) if found["num_pairs"] else []
        rows.append(
            {
                **dict(zip(COMPARABLE, where, strict=True)),
                "a": a["group_label"].iloc[0],
                "b": b["group_label"].iloc[0],
                **_side("a", a, at),
                **_side("b", b, at),
                **found,
                "seeds_without_partner": ", ".join(alone) or None,
            }
        )
    if not rows:
        raise QueryError(
            f"{first!r} and {second!r} have no data set and recipe in common: give other methods."
        )
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["p_holm"] = p
    return typed(rows)


def _side(name: str, trials: "pd.DataFrame", at: At) -> dict[str, Any]:
    aggregated = aggregate(trials, at)[list(SIDE)].astype(object)
    (row,) = aggregated.where(aggregated.notna(), None).to_dict("records")
    return {f"{column}_{name}": value for column, value in row.items()}


def _called(outcomes: "pd.DataFrame", name: str) -> "dict[tuple[Any, ...], pd.DataFrame]":
    """The group of that name for each data set and recipe; a whole label comes before a method."""
    groups = [trials for _, trials in outcomes.groupby("group_id", sort=False)]
    exact = [trials for trials in groups if trials["group_label"].iloc[0] == name]
    found = exact or [trials for trials in groups if _is_called(trials.iloc[0], name)]
    if not found:
        raise _unknown(outcomes, name)
    named: dict[tuple[Any, ...], pd.DataFrame] = {}
    for trials in found:
        if named.setdefault(_where(trials.iloc[0]), trials) is not trials:
            raise _ambiguous(name, found)
    return named


def _where(trial: Any) -> tuple[Any, ...]:
    """Data set and recipe of a trial, None for a trial that is a search only."""
    import pandas as pd

    return tuple(None if pd.isna(trial[name]) else trial[name] for name in COMPARABLE)


def _is_called(trial: Any, name: str) -> bool:
    is_id = len(name) >= 4 and looks_like_id(name) and trial["group_id"].startswith(name.lower())
    return name in (trial["group_label"], trial["method"]) or is_id


def _base(groups: dict[Any, "pd.DataFrame"], wanted: list[Any], trial: Any, versus: str) -> Any:
    """The group to compare a block with, to which a trial belongs; None: there is none."""
    alike = [key for key in wanted if _where(groups[key].iloc[0]) == _where(trial)]
    for condition in (
        lambda key: key[0] == trial["sweep"] and groups[key]["space"].iloc[0] == trial["space"],
        lambda key: key[0] == trial["sweep"],
        lambda key: True,
    ):
        near = [key for key in alike if condition(key)]
        near = [key for key in near if groups[key]["group_label"].iloc[0] == versus] or near
        if len({group_id for _, group_id in near}) > 1:
            raise _ambiguous(versus, [groups[key] for key in near])
        if near:
            return near[0]
    return None


def _ambiguous(name: str, found: "list[pd.DataFrame]") -> QueryError:
    firsts = [trials.iloc[0] for trials in found]
    names = ", ".join(f"{one['group_label']!r} (group {one['group_id']})" for one in firsts)
    return QueryError(f"{name!r} could be {names}: give a whole label, or the id of a group.")


def _unknown(outcomes: "pd.DataFrame", name: str) -> QueryError:
    labels = ", ".join(map(repr, dict.fromkeys(outcomes["group_label"]))) or "none"
    return QueryError(f"no method is called {name!r}; there are {labels}.")
