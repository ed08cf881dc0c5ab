import json

import pytest
from small_sweep import Trial, finish_search, submit

from results.errors import QueryError
from results.figures import evolution
from results.figures.kind import Options
from results.query.positions import positions
from results.query.tables import Tables
from results.store.layout import live_name
from results.store.store import Store


def _search(store: Store, trial: Trial, dominant: list[set[str]]) -> None:
    """At each epoch these operations of the edge 0-2 of the normal cell are dominant."""
    rows = [
        {
            "stage_key": trial.search_key,
            "kind": "search",
            "epoch": epoch,
            "num_dominant": len(names),
            "gates": [
                0.9 if place.operation in names and place.position < 7 else 0.1
                for place in positions("s1")
            ],
        }
        for epoch, names in enumerate(dominant)
    ]
    store.write_rows("epochs", live_name(trial.search_key, 1), rows)


def test_a_strip_has_the_dominant_operations_of_each_epoch_and_the_genotype(store: Store) -> None:
    trial, other = Trial("fairdarts", 0), Trial("fairdarts", 1)
    submit(store, "exp", 1, [trial, other])
    _search(store, trial, [set(), {"skip_connect"}, {"skip_connect", "sep_conv_3x3"}])
    finish_search(store, other)
    genotype = {"normal": [{"op": "skip_connect", "from": 0, "to": 2}], "reduce": []}
    row = {"stage_key": trial.genotype_key, "kind": "derive", "valid": True, "epoch": 2}
    row |= {"genotype_json": json.dumps(genotype), "search_key": trial.search_key}
    store.write_rows("genotypes", live_name(trial.genotype_key, 1), [row])
    rows = evolution.data(Tables(store), Options())
    assert list(rows["search_key"].unique()) == [trial.search_key]
    of_edge = rows[rows["edge"] == "normal 0-2"]
    assert of_edge[["part", "epoch", "operation"]].fillna("").values.tolist() == [
        ["dominant", 0, ""],
        ["dominant", 1, "skip_connect"],
        ["dominant", 2, "skip_connect"],
        ["dominant", 2, "sep_conv_3x3"],
        ["derived", 2, "skip_connect"],
    ]
    assert rows[rows["edge"] != "normal 0-2"]["operation"].isna().all()
    another = evolution.data(Tables(store), Options(trial=other.search_key[:8]))
    assert list(another["search_key"].unique()) == [other.search_key]


def test_layers_of_s2_have_strips_too(store: Store) -> None:
    trial = Trial("fairdarts", 0, settings=(("space", "s2"), ("num_layers", 6)))
    submit(store, "exp", 1, [trial])
    places = positions("s2", 6)
    gates = [0.9 if place.operation == "E6K7" else 0.1 for place in places]
    row = {
        "stage_key": trial.search_key,
        "kind": "search",
        "epoch": 0,
        "num_dominant": 0,
        "gates": gates,
    }
    store.write_rows("epochs", live_name(trial.search_key, 1), [row])
    rows = evolution.data(Tables(store), Options())
    assert rows[["cell", "edge", "operation"]].values.tolist() == [
        ["layers", str(layer), "E6K7"] for layer in range(6)
    ]
    assert evolution.KIND.picture(rows, Options(), "png")


def test_gates_of_another_number_than_the_space_has_are_refused(store: Store) -> None:
    trial = Trial("fairdarts", 0)
    submit(store, "exp", 1, [trial])
    row = {
        "stage_key": trial.search_key,
        "kind": "search",
        "epoch": 0,
        "num_dominant": 0,
        "gates": [0.5] * 3,
    }
    store.write_rows("epochs", live_name(trial.search_key, 1), [row])
    with pytest.raises(QueryError, match="does not know, so there is nothing to draw"):
        evolution.data(Tables(store), Options())
