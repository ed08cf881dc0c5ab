"""Makes the golden stores of this version of the schema: python tests/support/golden_stores.py.

Run it once for each version that is released. The stores of older versions stay as they are.
"""

import json
import sys
from pathlib import Path
from typing import Any

from repository import ROOT

sys.path.insert(0, str(ROOT))

from small_sweep import write_example

from results.query.sql import query
from results.query.tables import Tables
from results.store.manifest import SealedStage
from results.store.seal import seal
from results.store.store import Store
from results.version import SCHEMA_MAJOR, SCHEMA_MINOR

STORES = ROOT / "tests" / "data" / "stores"
QUESTIONS = (
    "SELECT trial_id, label, outcome, test_top1_pct, params, search_s, reason FROM outcomes "
    "ORDER BY trial_id",
    "SELECT stage_key, attempt, kind, status, newest FROM attempts ORDER BY ALL",
    "SELECT operation, count(*) AS n, max(alpha) AS alpha, min(gate) AS gate FROM alphas "
    "GROUP BY operation ORDER BY operation",
)


def answers(root: Path) -> list[list[dict[str, Any]]]:
    """What a store answers to the questions."""
    tables = Tables(Store.open(root))
    return [query(tables, question).to_pylist() for question in QUESTIONS]


def main() -> None:
    """Write a store with live rows, the same with sealed ones, and what both answer."""
    folder = STORES / f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}"
    for name in ("live", "sealed"):
        store = Store.create(folder / name)
        write_example(store)
        (store.sweep_dir("exp") / "0001.json").write_text("{}\n")
        if name == "sealed":
            rows = store.read("attempts", columns=["stage_key", "kind", "status"]).to_pylist()
            done = {row["stage_key"]: row["kind"] for row in rows if row["status"] == "ok"}
            seal(store, {key: SealedStage(kind, 1) for key, kind in done.items()})
    text = json.dumps(answers(folder / "live"), indent=1)
    (folder / "answers.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
