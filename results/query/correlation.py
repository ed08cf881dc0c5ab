"""Does a search's own accuracy tell how good its network will be? Kendall's tau."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from results.errors import QueryError
from results.query.labels import tell_apart
from results.query.outcomes import to_pandas
from results.query.sql import query
from results.query.stats import CONFIDENCE
from results.query.tables import Tables
from results.query.typed import typed
from results.query.versus import COMPARABLE, pooled

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SEARCHES = """
    SELECT search_key, group_id, any_value(dataset) AS dataset, recipe,
        any_value(score) AS search_top1_pct, avg(test_top1_pct) AS test_top1_pct,
        list(coalesce(trained_as, retrain_key)) AS trainings
    FROM (SELECT DISTINCT ON (trial_id) * FROM outcomes) JOIN (
        SELECT stage_key, arg_max(arch_top1_pct, epoch) AS score FROM epochs GROUP BY stage_key
    ) ON stage_key = search_key
    WHERE outcome = 'ok' AND isfinite(score) AND isfinite(test_top1_pct)
    GROUP BY search_key, group_id, recipe ORDER BY search_key, group_id
"""
"""Of each search its own accuracy in the last epoch, and that of its network. Groups that derive
other genotypes from the same searches have rows of their own."""
MIN_INTERVAL = 8
"""From this many searches tau has an interval: below, the approximation does not hold."""


class Tau(NamedTuple):
    """Rank correlation of pairs of values."""

    n: int
    tau: float | None
    """Kendall's tau-b; None if all values on one side are equal, or there are fewer than two."""
    low: float | None
    high: float | None
    p: float | None
    """Two-sided, of no correlation; exact without ties."""


def kendall(first: Sequence[float], second: Sequence[float]) -> Tau:
    """Compute tau-b with a 95 % interval.

    Source:
        The interval is that of Fieller, Hartley & Pearson (Biometrika 44, 1957): atanh(tau) is
        about normal with variance 0.437 / (n - 4).
    """
    from scipy.stats import kendalltau, norm

    n = len(first)
    if n < 2 or len(set(first)) < 2 or len(set(second)) < 2:
        return Tau(n, None, None, None, None)
    found = kendalltau(first, second)
    tau, p = float(found.statistic), float(found.pvalue)
    if n < MIN_INTERVAL or abs(tau) > 1 - 1e-12:
        return Tau(n, tau, None, None, p)
    half = float(norm.ppf((1 + CONFIDENCE) / 2)) * math.sqrt(0.437 / (n - 4))
    z = math.atanh(tau)
    return Tau(n, tau, math.tanh(z - half), math.tanh(z + half), p)


def searches(tables: Tables) -> "pd.DataFrame":
    """Of each search and group its own accuracy, and that of its network.

    Args:
        tables: The trials; a search that was retrained several times has one row, with the mean.
    Returns:
        The columns of `SEARCHES`, and `label`, which tells the groups apart.
    """
    outcomes = tell_apart(pooled(to_pandas(tables.read("outcomes")), ""), COMPARABLE)
    labels = dict(zip(outcomes["group_id"], outcomes["group_label"], strict=True))
    found = to_pandas(query(tables, SEARCHES))
    return found.assign(label=found["group_id"].map(labels))


def correlations(tables: Tables) -> "pa.Table":
    """Correlate the search's own accuracy with the test accuracy of the network it came to.

    Args:
        tables: The trials; a search that was retrained several times counts once, with the mean.
    Returns:
        For each data set and recipe a row for all methods together, and one for each of them.
        `num_trainings` counts distinct ones: searches that came to the same genotype share them.
    Raises:
        QueryError: If no search has both accuracies.
    """
    found = searches(tables)
    if not len(found):
        raise QueryError("no finished trial has both a search's accuracy and that of its network.")
    rows: list[dict[str, Any]] = []
    for (dataset, recipe), block in found.groupby(["dataset", "recipe"], sort=False):
        where = {"dataset": dataset, "recipe": recipe}
        methods = list(block.groupby("label", sort=False))
        if len(methods) > 1:
            methods = [("all methods", block), *methods]
        rows += [
            where
            | {"method": label}
            | tau_of(some)._asdict()
            | {"num_trainings": len(set(chain.from_iterable(some["trainings"])))}
            for label, some in methods
        ]
    return typed(rows)


def tau_of(found: "pd.DataFrame") -> Tau:
    """Correlate both accuracies of some rows of `searches`; each search counts once."""
    means = found.groupby("search_key")[["search_top1_pct", "test_top1_pct"]].mean()
    return kendall(*(means[name].tolist() for name in means))
