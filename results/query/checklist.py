"""What a paper on architecture search is asked to report, filled in from a store.

Source: the points of Lindauer & Hutter, *Best Practices for Scientific Research on Neural
Architecture Search* (JMLR 21, 2020), that a store can answer, and three that its tables add.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.query.outcomes import to_pandas
from results.query.tables import Tables
from results.statuses import AttemptStatus, FailureKind, TrialOutcome

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

YES, PARTLY, NO, UNKNOWN = "yes", "partly", "no", "not in the store"
DIRTY = "-dirty"
"""End of a commit in `versions_json` if files had changed since."""
ENOUGH_SEEDS = 6
"""Fewer pairs cannot give a p below 0.05 in an exact test."""


@dataclass(frozen=True)
class Facts:
    """What points are answered from."""

    outcomes: "pd.DataFrame"
    attempts: "pd.DataFrame"
    with_epochs: frozenset[str]
    """Keys of stages of which any epoch is stored."""
    left_out: tuple[str, ...] = ()
    """See `Tables.notes`."""


Answer = tuple[str, str]
"""One of the four answers, and the evidence."""


def checklist(tables: Tables) -> "pa.Table":
    """Answer every point.

    Args:
        tables: The trials that a paper reports.
    Returns:
        Columns `point`, `answer` (yes, partly, no, not in the store) and `evidence`.
    """
    import pyarrow as pa

    batches = tables.scan("epochs").batches(["stage_key"])
    facts = Facts(
        to_pandas(tables.read("outcomes")),
        to_pandas(tables.read("attempts")),
        frozenset(key for batch in batches for key in batch["stage_key"].unique().to_pylist()),
        tuple(tables.notes),
    )
    rows = [(point, *answer(facts)) for point, answer in POINTS.items()]
    names = ("point", "answer", "evidence")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def _code(facts: Facts) -> Answer:
    versions = [json.loads(text) for text in facts.attempts["versions_json"].dropna().unique()]
    commits = sorted({str(one["commit"]) for one in versions if one.get("commit")})
    if not commits:
        return NO, "no attempt knows the commit of its code"
    kinds = f"{len(commits)} commits" if len(commits) > 1 else "one commit"
    evidence = f"{kinds}: {', '.join(commits[:3])}"
    if any(commit.endswith(DIRTY) for commit in commits):
        kept = "the changes since are in uncommitted.diff of each attempt's folder"
        return PARTLY, f"{evidence}; {kept}"
    return (YES if len(commits) == 1 else PARTLY), evidence


def _settings(facts: Facts) -> Answer:
    known = facts.outcomes["config_json"].notna()
    return (
        YES if known.all() else PARTLY,
        f"all settings and seeds of {known.sum()} of {len(known)} trials are in trials.config_json",
    )


def _same_protocol(facts: Facts) -> Answer:
    recipes = facts.outcomes.groupby("dataset")["recipe"].agg(lambda r: sorted(set(r.dropna())))
    mixed = {dataset: names for dataset, names in recipes.items() if len(names) > 1}
    if not mixed:
        return YES, "every data set has one recipe: " + "; ".join(
            f"{dataset}: {', '.join(names) or 'search only'}" for dataset, names in recipes.items()
        )
    return PARTLY, "several recipes, whose trials are never averaged together: " + "; ".join(
        f"{dataset}: {', '.join(names)}" for dataset, names in mixed.items()
    )


def _confounders(facts: Facts) -> Answer:
    software = facts.attempts["versions_json"].dropna().map(_without_commit).nunique()
    devices = sorted(facts.attempts["device"].dropna().unique())
    threads = facts.attempts["num_threads"].dropna().nunique()
    evidence = (
        f"{software} software environment(s), device(s) {', '.join(devices) or 'unknown'}, "
        f"{threads} thread count(s)"
    )
    same = software == 1 and len(devices) == 1 and threads <= 1
    return (YES if same else PARTLY), evidence


def _without_commit(versions_json: str) -> str:
    return json.dumps({k: v for k, v in json.loads(versions_json).items() if k != "commit"})


def _ablations(facts: Facts) -> Answer:
    searched = facts.outcomes[facts.outcomes["search_key"].notna()]
    weights = searched.groupby("method")["zero_one_weight"].nunique()
    ablated = [str(method) for method, number in weights.items() if number > 1]
    if not ablated:
        return NO, "no method was run with several weights of the zero-one loss"
    return YES, f"weights of the zero-one loss of {', '.join(ablated)}"


def _random(facts: Facts) -> Answer:
    blocks = list(facts.outcomes.groupby(["dataset", "recipe"], dropna=False))
    methods_of = [(str(dataset), set(trials["method"])) for (dataset, _), trials in blocks]
    searched = [(dataset, names) for dataset, names in methods_of if names - {"random", "given"}]
    lacking = [dataset for dataset, names in searched if "random" not in names]
    if not lacking:
        return YES, "every data set and recipe with a search has random networks"
    share = PARTLY if len(lacking) < len(searched) else NO
    return share, f"no random networks with the same recipe on {', '.join(sorted(set(lacking)))}"


def _seeds(facts: Facts) -> Answer:
    ok = facts.outcomes[facts.outcomes["outcome"] == TrialOutcome.OK]
    searches = ok["search_key"].fillna(ok["sample_key"])
    if ok.empty:
        return NO, "no trial is finished"
    planned = facts.outcomes["group_id"].unique()  # Also methods of which no trial is ok.
    numbers = searches.groupby(ok["group_id"]).nunique().reindex(planned, fill_value=0)
    fewest, most = numbers.min(), numbers.max()
    answer = YES if fewest >= ENOUGH_SEEDS else PARTLY if most > 1 else NO
    span = str(most) if fewest == most else f"{fewest} to {most}"
    return answer, (
        f"{span} searches or samples of each of {len(numbers)} methods; an exact paired test needs "
        f"{ENOUGH_SEEDS}"
    )


def _failures(facts: Facts) -> Answer:
    ends = facts.outcomes["outcome"].value_counts()
    evidence = ", ".join(f"{number} {end}" for end, number in ends.items())
    complete = set(ends.index) <= {TrialOutcome.OK, TrialOutcome.INVALID} and not facts.left_out
    counted = f"of {len(facts.outcomes)} planned trials: {evidence}"
    return (YES if complete else PARTLY), ". ".join([counted, *facts.left_out])


def _selection(facts: Facts) -> Answer:
    held_out = facts.outcomes["val_test_top1_pct"].notna().sum()
    return YES, (
        "test accuracy of the last epoch, never of the best on test images; "
        f"{held_out} trials also chose an epoch on held-out training images (--at val)"
    )


def _curves(facts: Facts) -> Answer:
    is_ok = facts.attempts["status"] == AttemptStatus.OK
    finished = facts.with_epochs.intersection(facts.attempts["stage_key"][is_ok])
    begun = len(facts.with_epochs) - len(finished)
    if not facts.with_epochs:
        return NO, "no epoch of a search or a retraining"
    parts = [f"every epoch of {len(finished)} searches and retrainings"] if finished else []
    parts += [f"the epochs so far of {begun} that are not finished"] if begun else []
    return (YES if finished else PARTLY), f"{' and '.join(parts)} (epochs)"


def _time(facts: Facts) -> Answer:
    timed = facts.attempts.dropna(subset="wall_s")
    hours = timed.groupby("kind")["wall_s"].sum() / 3600
    if not len(hours):
        return NO, "no attempt has ended"
    known = ", ".join(f"{kind} {number:.2f} h" for kind, number in hours.items())
    evidence = f"{known} (failed and lost attempts included)"
    # An attempt that only records that others have crashed took no time.
    took_none = facts.attempts["failure_kind"] == FailureKind.CRASH
    lacking = []
    if without := int((facts.attempts["wall_s"].isna() & ~took_none).sum()):
        lacking.append(f"{without} attempt(s) that run or whose row was lost")
    copied = set(facts.outcomes["trained_as"].dropna()) - set(facts.attempts["stage_key"])
    if copied:
        lacking.append(f"{len(copied)} training(s) whose results trials here share with others")
    return (PARTLY, f"{evidence}, without {' and '.join(lacking)}") if lacking else (YES, evidence)


def _tuning(_: Facts) -> Answer:
    return UNKNOWN, "say how the settings were chosen, and on which images"


POINTS: dict[str, Callable[[Facts], Answer]] = {
    "Is the code that was run known?": _code,
    "Are all settings and seeds known?": _settings,
    "Have all methods the same training pipeline?": _same_protocol,
    "Were hardware and software the same?": _confounders,
    "Are there ablations?": _ablations,
    "Is there a comparison with random networks?": _random,
    "Is every method run several times?": _seeds,
    "Are failed and missing runs counted?": _failures,
    "Which epoch's accuracy is reported, and how was it chosen?": _selection,
    "Is there performance over time?": _curves,
    "Is the time of all of it known?": _time,
    "Is it said how settings were tuned?": _tuning,
}
