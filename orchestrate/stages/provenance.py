"""Where the weights of a finished retraining come from, for the card of the exported network."""

import json
import math
from typing import Any

from fairdarts.export.card import Provenance
from results.query.aggregate import aggregate
from results.query.outcomes import to_pandas
from results.query.tables import Tables
from results.store.store import Store


def provenance_of(store: Store, key: str) -> Provenance | None:
    """Provenance of a trial whose retraining is finished; None if no sweep has planned it.

    Args:
        store: Where it is.
        key: Id of the trial.
    """
    trials = store.read("trials").sort_by("submission").to_pylist()
    trial = next((row for row in reversed(trials) if row["trial_id"] == key), None)
    if trial is None:
        return None
    (row,) = store.read("retrains", [key]).to_pylist()
    trained = row["trained_as"] or key
    attempts = store.read("attempts", [trained]).sort_by("attempt").to_pylist()
    last = attempts[-1] if attempts else {"versions_json": None, "device": None}
    return Provenance(
        trial=trial["label"],
        sweep=trial["sweep"],
        method=trial["method"],
        dataset=trial["dataset"],
        recipe=trial["recipe"],
        epochs=row["epochs"],
        test_top1_pct=row["test_top1_pct"],
        best_test_top1_pct=row["best_test_top1_pct"],
        siblings=_siblings(store, trial),
        versions=json.loads(last["versions_json"] or "{}"),
        device=last["device"] or "a device that was not recorded",
    )


def _siblings(store: Store, trial: dict[str, Any]) -> str:
    """What the same configuration gave with all seeds, in a sentence."""
    outcomes = to_pandas(Tables(store, [trial["sweep"]], all_submissions=True).read("outcomes"))
    group = aggregate(outcomes[outcomes["group_id"] == trial["group_id"]]).iloc[0]
    found = f"{group['n']} of {group['planned_searches']} planned"
    if math.isnan(group["top1_pct_std"]):
        return f"The same configuration has no network of another seed here (n = {found})."
    interval = f"[{group['top1_pct_low']:.2f}, {group['top1_pct_high']:.2f}]"
    return (
        f"All networks of the same configuration: {group['top1_pct_mean']:.2f} ± "
        f"{group['top1_pct_std']:.2f} % (mean ± sample standard deviation, 95 % t-interval "
        f"{interval}, n = {found})."
    )
