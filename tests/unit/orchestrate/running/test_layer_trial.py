"""A search in S2 as a trial: what is recorded, and what a proxy on a CPU derives."""

import json
from pathlib import Path

import pytest
from one_trial import run_trial
from stored_images import png, write_images

from fairdarts.errors import ConfigError
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.cost import layer_network_cost
from orchestrate.planning.checks import check_trials
from orchestrate.planning.plan import TrialSpec, given_trial, search_only_trial
from orchestrate.planning.settings import Settings, resolve
from orchestrate.running.trial import run_stage
from orchestrate.stages.runtime import Runtime
from results.store.store import Store

RUNTIME = Runtime("cpu", num_threads=1)
TINY: Settings = {
    "data.num_train": 40,
    "data.num_test": 20,
    "data.image_size": 32,
    "search.space": "s2",
    "search.width": 0.25,
    "search.num_layers": 6,
    "search.epochs": 2,
    "search.batch_size": 20,
}


def search_trial(method: str, **changes: object) -> TrialSpec:
    settings = TINY | {f"search.{name}": value for name, value in changes.items()}
    return search_only_trial(method, resolve(method, [settings]), {})


@pytest.mark.parametrize("space", ["s2", "s2_identity_skip"])
@pytest.mark.parametrize("method", ["fairdarts", "darts"])
def test_search_and_derivation_are_recorded(method: str, space: str, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    trial = search_trial(method, space=space)

    assert run_trial(trial, store, RUNTIME) == "ok"

    epochs = store.read("epochs").to_pylist()
    num_gates = 42 if space == "s2" else 36
    assert [len(epoch["gates"]) for epoch in epochs] == [num_gates] * 2
    assert epochs[0]["num_dominant"] == (0 if method == "fairdarts" else 6)
    (row,) = store.read("genotypes").to_pylist()
    genotype = LayerGenotype.from_dict(json.loads(row["genotype_json"]))
    assert row["valid"]
    assert (row["num_blocks"], row["num_removed_layers"]) == (6, 0)
    assert row["num_skips_layers"] == sum("skip" in choices for choices in genotype.layers)
    if method == "fairdarts":  # no gate is far from 0.5 yet: each layer was given its best block
        assert (row["rule"], row["op_threshold"]) == ("threshold_edge", 0.75)
        assert set(LayerGenotype.from_dict(json.loads(row["raw_genotype_json"])).layers) == {()}
        assert row["margin_layers"] is None
    else:
        assert row["rule"] == "darts"
        assert row["margin_layers"] >= 0
    assert row["num_skips_normal"] is None
    assert row["margin_normal"] is None


def test_images_that_s1_cannot_halve_are_searched_in_s2(tmp_path: Path) -> None:
    write_images(tmp_path / "images", [png(20 * index, size=30) for index in range(12)])
    images: Settings = {"data.source": f"parquet:{tmp_path / 'images'}", "seed": 1}
    small = {name: value for name, value in TINY.items() if not name.startswith("data.")}
    s2 = search_only_trial("fairdarts", resolve("fairdarts", [small | images]), {})
    s1 = search_only_trial("fairdarts", resolve("fairdarts", [images]), {})

    assert all("batch_size" in warning for warning in check_trials([s2]))
    assert run_trial(s2, Store.create(tmp_path / "store"), RUNTIME) == "ok"
    with pytest.raises(ConfigError, match=r"search: .*30x30.* divisible by 4.*data\.image_size"):
        check_trials([s1])


def test_recompute_is_no_part_of_a_search_s_key_and_micro_batches_are() -> None:
    def key(**changes: object) -> str:
        return search_trial("fairdarts", **changes).stages[0].key

    assert key(recompute=True) == key()
    assert len({key(), key(micro_batches=2), key(num_layers=11), key(width=0.5)}) == 4


def test_a_genotype_of_s2_that_a_person_gives_is_recorded(tmp_path: Path) -> None:
    genotype = LayerGenotype.uniform("E3K3", num_layers=6)
    trial = given_trial("mine", genotype.to_dict(), resolve("fairdarts", [TINY]))
    store = Store.create(tmp_path / "store")
    assert run_stage(trial.stages[0], store, RUNTIME, lambda: None) == "ok"
    (row,) = store.read("genotypes").to_pylist()
    assert LayerGenotype.from_dict(json.loads(row["genotype_json"])) == genotype


def test_a_trial_of_s2_ends_with_a_trained_network_and_its_cost(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    training = {"epochs": 6, "batch_size": 20, "width": 0.25}
    settings = TINY | {f"retrain.{name}": value for name, value in training.items()}
    trial = given_trial(
        "mine",
        LayerGenotype.uniform("E3K3", num_layers=6).to_dict(),
        resolve("fairdarts", [settings]),
    )
    assert trial.recipe == "imagenet-s2[width=0.25,epochs=6,batch_size=20]"
    assert run_trial(trial, store, RUNTIME) == "ok"
    (row,) = store.read("retrains").to_pylist()
    cost = layer_network_cost(
        LayerGenotype.uniform("E3K3", num_layers=6), image_size=32, num_classes=10, width=0.25
    )
    assert (row["params"], row["multadds"]) == (cost.params, cost.multadds)
    assert (row["init_channels"], row["num_cells"]) == (None, None)
