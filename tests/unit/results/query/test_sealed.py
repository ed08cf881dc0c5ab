"""Queries over sealed rows give the answers of live ones, and never one from damaged rows."""

import random
import shutil
from pathlib import Path

import pytest
from small_sweep import Trial, finish

from results.errors import DamagedFile
from results.figures.catalog import figure
from results.figures.kind import Options
from results.query.sql import query
from results.query.tables import Tables
from results.query.views import VIEWS
from results.store.layout import SEALED
from results.store.manifest import SealedStage
from results.store.seal import seal
from results.store.store import Store


@pytest.fixture
def sealed(example: Store, tmp_path: Path) -> Store:
    """The example with its finished stages sealed, and stages of another sweep in the same pack."""
    store = Store.open(shutil.copytree(example.root, tmp_path / "store"))
    other = Trial("darts", 7)
    finish(store, other, 90.0)
    others = {other.search_key: "search", other.retrain_key: "retrain"}
    rows = store.read("attempts", columns=["stage_key", "kind", "status"]).to_pylist()
    kinds = {row["stage_key"]: row["kind"] for row in rows if row["status"] == "ok"} | others
    seal(store, {key: SealedStage(kind, 1) for key, kind in kinds.items()})
    return store


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_that_of_live_rows(example: Store, sealed: Store, view: str) -> None:
    sql = f"FROM {view} ORDER BY ALL"

    assert query(Tables(sealed), sql).to_pylist() == query(Tables(example), sql).to_pylist()


@pytest.mark.parametrize("name", ["alphas", "dominant-ops"])
def test_figures_that_add_up_all_gates_are_those_of_live_rows(
    example: Store, sealed: Store, name: str
) -> None:
    of_live, of_sealed = (
        figure(name).data(Tables(store), Options()) for store in (example, sealed)
    )
    assert of_live.equals(of_sealed)


@pytest.mark.parametrize(
    ("sql", "fails"),
    [
        ("SELECT count(*), avg(wall_s) FROM epochs", False),
        ("SELECT max(gate) FROM alphas", True),
        ("FROM epochs", True),
        ("SELECT e FROM epochs e", True),
        ("SELECT len(alphas) FROM epochs", True),
        ("SUMMARIZE epochs", True),
        ("SELECT count(*) FROM outcomes", False),
    ],
)
def test_damage_concerns_the_queries_that_need_the_damaged_rows(
    sealed: Store, sql: str, fails: bool
) -> None:
    # Many random numbers, so that the alphas fill blocks of their own.
    trial = Trial("wide", 1)
    draws = random.Random(0)
    numbers = [[draws.random() for _ in range(196)] for _ in range(600)]
    rows = [
        {"stage_key": trial.search_key, "epoch": epoch, "wall_s": 1.0, "alphas": a, "gates": a}
        for epoch, a in enumerate(numbers)
    ]
    finish(sealed, trial, 90.0)
    sealed.write_rows("epochs", f"{trial.search_key}.a0001", rows)
    seal(sealed, {trial.search_key: SealedStage("search", 1)})
    damage_alphas(sealed)

    if fails:
        with pytest.raises(DamagedFile):
            query(Tables(sealed), sql)
        with pytest.raises(DamagedFile):
            list(sealed.scan("epochs", None).batches(["stage_key", "alphas"]))
    else:
        assert query(Tables(sealed), sql).num_rows == 1


def damage_alphas(store: Store) -> None:
    import pyarrow.parquet as pq

    (path,) = (store.root / SEALED / "epochs").iterdir()
    group = pq.read_metadata(path).row_group(0)
    chunks = [group.column(place) for place in range(group.num_columns)]
    (alphas,) = [chunk for chunk in chunks if chunk.path_in_schema == "alphas.list.element"]
    content = bytearray(path.read_bytes())
    content[alphas.data_page_offset + alphas.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
