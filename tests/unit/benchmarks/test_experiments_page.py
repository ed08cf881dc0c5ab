import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from repository import ROOT

from benchmarks.experiments import BLOCKS, remake
from benchmarks.measures import (
    dominant_skips,
    half_polarised_at,
    histogram,
    mass,
    num_turned,
    polarised,
    ranked,
    settled_at,
)
from fairdarts.genotype.published import published
from fairdarts.spaces import CellSpace
from results.store.layout import live_name, plan_name
from results.store.store import Store

PAGE = (ROOT / "docs" / "experiments.md").read_text("utf-8")

# Three epochs of four gates: one stays high, one turns from high to low, one drifts down, one is
# high, low and high again, but never 0.05 below 0.5.
EPOCHS = np.array([[0.6, 0.7, 0.5, 0.8], [0.8, 0.6, 0.4, 0.46], [0.95, 0.05, 0.1, 0.9]])


def test_polarised_is_the_share_near_0_or_1() -> None:
    assert polarised(np.array([[0.05, 0.3], [0.5, 0.97]])) == 0.5


def test_histogram_counts_tenths_with_both_ends() -> None:
    assert histogram(np.array([0.0, 0.05, 0.55, 1.0])).tolist() == [2, 0, 0, 0, 0, 1, 0, 0, 0, 1]


def test_settled_at_is_the_epoch_after_the_last_crossing() -> None:
    assert settled_at(EPOCHS).tolist() == [1, 3, 1, 3]


def test_half_polarised_at_counts_epochs_from_1() -> None:
    assert half_polarised_at(EPOCHS) == 3
    assert half_polarised_at(EPOCHS[:2]) is None


def test_a_gate_turned_if_it_once_led_the_other_way() -> None:
    assert num_turned(EPOCHS) == 1
    assert num_turned(1 - EPOCHS) == 1


def test_mass_is_1_where_the_softmax_is_uniform() -> None:
    assert mass(np.full((3, 4), 0.25)).tolist() == [1, 1, 1, 1]
    assert mass(np.array([[0.75, 0.25], [0.5, 0.5]])).tolist() == [1.25, 0.75]


def test_ranked_sorts_each_edge_before_the_mean() -> None:
    cells = np.array([[[0.75, 0.25, 0.0]], [[0.25, 0.25, 0.5]]])
    assert ranked(cells).tolist() == [0.625, 0.25, 0.125]


def test_dominant_skips_are_counted_in_each_cell() -> None:
    space = CellSpace("two", ("skip_connect", "sep_conv_3x3"), num_nodes=1)
    cells = np.array([[[0.9, 0.1], [0.8, 0.2]], [[0.4, 0.6], [0.45, 0.55]]])
    assert dominant_skips(cells, space) == {"normal": 2, "reduce": 0}


def test_every_block_stands_on_the_page() -> None:
    assert set(re.findall(r"<!-- ([\w-]+) -->", PAGE)) == set(BLOCKS)


def page(name: str, content: str = "") -> str:
    return f"# Title\n\n<!-- {name} -->\n```\n{content}```\n\nA sentence.\n"


def write(store: Store, table: str, key: str, *rows: dict[str, Any]) -> None:
    store.write_rows(table, live_name(key, 1), [{"stage_key": key, **row} for row in rows])


def plan(store: Store, sweep: str, trials: list[dict[str, Any]]) -> None:
    store.sweep_dir(sweep).mkdir(parents=True)
    common = {"sweep": sweep, "submission": 1, "group_id": "g", "group_label": "m", "space": "s1"}
    store.write_rows("trials", plan_name(sweep, 1), [common | trial for trial in trials])


def retrained(store: Store, key: str, top1_pct: float) -> dict[str, Any]:
    write(store, "retrains", key, {"test_top1_pct": top1_pct})
    write(store, "attempts", key, {"attempt": 1, "kind": "retrain", "status": "ok"})
    return {"trial_id": key, "retrain_key": key}


def searched(store: Store, seed: int, gates: list[list[float]], top1_pct: float) -> dict[str, Any]:
    """Rows of a finished trial; returns its row in the plan."""
    search, derive, retrain = (f"{stage}{seed:015x}" for stage in range(3))
    write(store, "epochs", search, *({"epoch": t, "gates": flat} for t, flat in enumerate(gates)))
    write(store, "genotypes", derive, {"valid": True, "epoch": len(gates) - 1})
    return retrained(store, retrain, top1_pct) | {"search_key": search, "derive_key": derive}


def values(remade: str) -> dict[str, str]:
    return {name.strip(): value for name, value in re.findall(r"^(\S.*?)  +(\S.*)$", remade, re.M)}


def test_a_page_is_remade_from_what_a_store_has(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    first = searched(store, 0, [[0.5] * 196, [0.95] * 196], 40.0)
    second = searched(store, 1, [[0.6] * 196, [0.7] * 98 + [0.6] * 98], 42.0)
    unfinished = {"trial_id": "f" * 16, "retrain_key": "f" * 16}
    plan(store, "exp06-small", [first, second, unfinished])

    remade = remake(page("exp06", "old\n"), store)

    lines = values(remade)
    assert lines["finished/planned"] == "2/3"
    assert lines["top-1 (%)"] == "41.00 ± 1.41"
    assert lines["within 0.1 of 0 or 1 (%)"] == "50.00 ± 70.71"
    assert lines["a gate stays on its side from epoch"] == "1.50 ± 0.71"
    assert lines["half are within 0.1 of 0 or 1 at epoch"] == "2.00 (n=1)"
    assert "exp05: not run yet" in remade
    assert "old" not in remade
    assert remade.startswith("# Title\n") and remade.endswith("```\n\nA sentence.\n")
    assert remake(remade, store) == remade


def test_random_models_have_no_search_but_a_cost(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    genotype = published("FairDARTS_a").genotype
    write(store, "genotypes", "0" * 16, {"valid": True, "genotype_json": genotype.to_json()})
    plan(store, "exp10-small", [retrained(store, "1" * 16, 30.0) | {"sample_key": "0" * 16}])

    lines = values(remake(page("exp10"), store))

    assert lines["finished/planned"] == "1/1"
    assert lines["MultAdds at C = 36, 20 cells (M)"] == "371.46"
    assert lines["top-1 (%)"] == "30.00"


def test_experiments_that_were_not_run_are_said_to_be(tmp_path: Path) -> None:
    store = Store.create(tmp_path)
    expected = page("exp12", "exp01: not run yet\nexp12: not run yet\n")
    assert remake(page("exp12"), store) == expected


def test_a_block_that_is_not_known_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'exp99'"):
        remake(page("exp99"), Store.create(tmp_path))
