"""The best genotypes, and what two trials differ in."""

from typing import TYPE_CHECKING, Any, Literal

from results.errors import QueryError, StoreError
from results.query.ids import find_id
from results.query.labels import settings
from results.query.sql import query
from results.query.tables import Tables
from results.statuses import TrialOutcome
from results.text import counted

if TYPE_CHECKING:
    import pyarrow as pa

By = Literal["val", "search", "test"]
SCORES: dict[str, tuple[str, str]] = {
    "val": (
        "val_top1_pct",
        "SELECT outcomes.*, val_top1_pct AS score FROM outcomes "
        "JOIN epochs ON stage_key = retrain_key AND epoch = val_epoch",
    ),
    "search": (
        "arch_top1_pct",
        "SELECT outcomes.*, score FROM outcomes JOIN (SELECT stage_key, "
        "arg_max(arch_top1_pct, epoch) AS score FROM epochs GROUP BY stage_key) "
        "ON stage_key = search_key",
    ),
    "test": ("test_top1_pct", "SELECT *, test_top1_pct AS score FROM outcomes"),
}
"""For each way to choose the name of its score, and the SQL that gives it to every trial."""

RESULTS = (
    "outcome",
    "reason",
    "test_top1_pct",
    "val_test_top1_pct",
    "params",
    "multadds",
    "num_skips_normal",
    "num_skips_reduce",
    "num_skips_layers",
    "search_s",
    "retrain_s",
    "genotype_json",
)
"""Columns of `outcomes` that `difference` compares."""


def best(tables: Tables, k: int = 5, by: By = "val") -> "pa.Table":
    """Rank the genotypes of finished trials; retrainings of one genotype are averaged.

    Accuracies on different images or after different recipes must not be compared, so each data
    set and recipe has a ranking of its own. A genotype has the id, label and cost of its best
    trial. Of equal trials, and of equal genotypes, the one with the lowest trial id comes first. A
    trial whose genotype was lost stands alone: it may be any.

    Args:
        tables: The trials.
        k: Genotypes of each ranking.
        by: What counts: `val` is the best accuracy on held-out training images in the retraining,
            `search` the accuracy on the half that trains the alphas in the last epoch of the
            search, `test` the test accuracy of the last epoch.
    Raises:
        QueryError: If no finished trial has this accuracy.
    """
    name, scored = SCORES[by]
    tested = "" if by == "test" else "avg(test_top1_pct ORDER BY test_top1_pct) AS test_top1_pct,"
    training = "coalesce(trained_as, retrain_key, trial_id)"
    # Searches that share a training have accuracies of their own, but one test accuracy.
    once = f"{training}, search_key" if by == "search" else training
    # Rows come in any order, so every choice and sum below has an order of its own.
    best_first = "ORDER BY score DESC, trial_id, sweep"
    # Nothing of this comes from outside: `name`, `scored`, `once` are written in this file.
    ranked = query(
        tables,
        f"""
        WITH scored AS ({scored}),
        once AS (
            SELECT DISTINCT ON ({once}) * FROM scored
            WHERE outcome = 'ok' AND score IS NOT NULL
            ORDER BY trained_as NULLS FIRST, trial_id, sweep
        ),
        genotypes_of_sets AS (
            SELECT first(trial_id {best_first}) AS trial_id,
                first(group_label {best_first}) AS label,
                avg(score ORDER BY score) AS {name}, {tested}
                count(DISTINCT coalesce(trained_as, retrain_key)) AS num_trainings,
                first(params {best_first}) AS params, first(multadds {best_first}) AS multadds,
                dataset, recipe, genotype_json
            FROM once GROUP BY dataset, recipe, genotype_json,
                CASE WHEN genotype_json IS NULL THEN trial_id END
        ),
        numbered AS (
            SELECT row_number() OVER (
                PARTITION BY dataset, recipe ORDER BY {name} DESC, trial_id
            ) AS rank, * FROM genotypes_of_sets
        )
        SELECT * FROM numbered WHERE rank <= {int(k)} ORDER BY dataset, recipe, rank
        """,  # noqa: S608
    )
    if not ranked.num_rows:
        if TrialOutcome.OK not in tables.read("outcomes")["outcome"].to_pylist():
            raise QueryError(f"none of {counted(len(tables.trials), 'trial')} is finished yet.")
        others = ", ".join(f"--by {other}" for other in SCORES if other != by)
        needs = " (retrain.num_validation holds images out)" if by == "val" else ""
        raise QueryError(f"no finished trial has {name}{needs}: choose {others}.")
    return ranked


def difference(tables: Tables, first: str, second: str) -> "pa.Table":
    """Compare two trials: the settings in which they differ, and their results.

    Args:
        tables: Where the trials are.
        first: Id of a trial, or its first digits.
        second: The other one.
    Returns:
        A row for each setting and result, with the values of both as text in columns `a` and `b`.
    Raises:
        StoreError: If there is no such trial.
    """
    import pyarrow as pa

    outcomes = {row["trial_id"]: row for row in tables.read("outcomes").to_pylist()}
    pair = [_trial(tables, outcomes, text) for text in (first, second)]
    configs = [settings(row["config_json"]) for row in pair]
    names = list(dict.fromkeys([*configs[0], *configs[1]]))
    rows = [(name, *(row[name] for row in pair)) for name in ("trial_id", "label", "sweep")]
    rows += [
        (name, *values)
        for name in names
        if (values := [config.get(name) for config in configs])[0] != values[1]
    ]
    rows += [
        (name, *(row[name] for row in pair))
        for name in RESULTS
        if any(row[name] is not None for row in pair)
    ]
    columns = zip(*rows, strict=True)
    texts = [[None if value is None else str(value) for value in column] for column in columns]
    return pa.table(dict(zip(("name", "a", "b"), texts, strict=True)))


def _trial(tables: Tables, outcomes: dict[str, dict[str, Any]], text: str) -> dict[str, Any]:
    id_ = find_id(tables.store, text)
    if id_ not in outcomes:
        raise StoreError(
            f"{id_} is not the id of a trial, or not of one that was asked for: `fairdarts show "
            f"{id_}` says what it is."
        )
    return outcomes[id_]
