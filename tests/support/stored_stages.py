"""Small finished stages in a store, and everything that the store answers."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from results.schema import SCHEMA
from results.store.layout import ROWS_OF, SEALED, live_name
from results.store.manifest import SealedStage
from results.store.store import Store

TABLES = ("attempts", "epochs", "genotypes", "retrains")
KINDS = ("search", "derive", "retrain")


def key(number: int) -> str:
    return f"{number:016x}"


def write_stage(store: Store, number: int, attempt: int = 1, loss: float = 0.5) -> SealedStage:
    """A finished stage whose kind follows from its number."""
    kind = KINDS[number % len(KINDS)]
    own: Mapping[str, Any] = {"stage_key": key(number), "kind": kind}
    rows: dict[str, list[dict[str, Any]]] = {
        "epochs": [
            {**own, "epoch": epoch, "train_loss": loss + number + epoch / 8}
            | ({"alphas": [float(epoch), 1.5], "gates": [0.25, 0.5]} if kind == "search" else {})
            for epoch in range(25)
        ],
        "genotypes": [{**own, "genotype_json": f"genotype {number}", "valid": True}],
        "retrains": [{"stage_key": key(number), "test_top1_pct": 90.0 + number}],
    }
    for table in ROWS_OF[kind]:
        store.write_rows(table, live_name(key(number), attempt), rows[table])
    for tried in range(1, attempt + 1):
        status = "ok" if tried == attempt else "failed"
        row = {**own, "attempt": tried, "status": status}
        store.write_rows("attempts", live_name(key(number), tried), [row])
    return SealedStage(kind, attempt)


def write_stages(store: Store, numbers: Iterable[int]) -> dict[str, SealedStage]:
    return {key(number): write_stage(store, number, number % 2 + 1) for number in numbers}


def answers(store: Store) -> dict[str, pa.Table]:
    return {
        table: store.read(table).sort_by([(name, "ascending") for name in SCHEMA[table].key])
        for table in TABLES
    }


def live_files(store: Store) -> list[Path]:
    return [path for path in store.root.glob("live/*/*") if path.is_file()]


def sealed_names(store: Store) -> set[str]:
    return {path.stem for path in store.root.glob(f"{SEALED}/*/*")}
