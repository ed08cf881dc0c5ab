"""A search space of one's own, with another operation and one more node, works end to end."""

from functools import partial
from pathlib import Path

import pytest
from one_trial import run_trial
from tiny_sweeps import tiny_trials

from cli.genotypes import describe
from fairdarts.drawing.cell_drawing import draw
from fairdarts.genotype.any_genotype import find_genotype
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.genotype.darts_notation import to_darts
from fairdarts.operations.cell_operations import OPERATIONS, sep_conv
from fairdarts.spaces import SKIP, SPACES, CellSpace, LayerSpace
from fairdarts.supernet.stacked_ops import SEPARATE, StackedSepConv
from orchestrate.planning.checks import check_trials
from orchestrate.stages.runtime import Runtime
from orchestrate.stages.trained import trained_network
from results.store.store import Store


@pytest.fixture
def own_space(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(OPERATIONS, "sep_conv_7x7", partial(sep_conv, 7))
    monkeypatch.setitem(SEPARATE, "sep_conv_7x7", partial(StackedSepConv, 7))
    space = CellSpace("mine", (SKIP, "sep_conv_7x7"), num_nodes=5)
    monkeypatch.setitem(SPACES, space.name, space)
    return space.name


def test_it_is_searched_derived_retrained_and_shown(own_space: str, tmp_path: Path) -> None:
    small = ("num_train=16", "search.epochs=1", "search.batch_size=8", "retrain.epochs=1")
    # This rule keeps both operations on each of the 20 edges.
    rule = ("derive.rule=threshold_edge", "derive.op_threshold=0.1")
    (trial,) = tiny_trials(f"search.space={own_space}", *small, *rule)
    check_trials([trial])
    store = Store.create(tmp_path)

    assert run_trial(trial, store, Runtime("cpu", num_threads=1)) == "ok"

    (row,) = store.read("genotypes").to_pylist()
    genotype = find_genotype(row["genotype_json"])
    assert isinstance(genotype, Genotype)
    assert (row["num_edges_normal"], row["num_skips_normal"]) == (40, 20)
    assert genotype.live_nodes("normal") == (2, 3, 4, 5, 6)
    assert find_genotype(to_darts(genotype)) == genotype
    assert "node 4 = sep_conv_7x7(c_{k-2}) + skip_connect(c_{k-2})" in describe(genotype)
    assert b"reduce-edge-5-6-sep_conv_7x7" in draw(genotype, "mine", "svg")
    network, _ = trained_network(store, trial.trial_id)
    assert network.genotype == genotype


def test_its_genotypes_are_refused_where_it_is_not_registered() -> None:
    with pytest.raises(Exception, match=r"op \(='sep_conv_7x7'\) is not an operation of cells"):
        Genotype.from_dict({"normal": [{"op": "sep_conv_7x7", "from": 0, "to": 2}], "reduce": []})


def test_a_space_of_layers_has_the_stages_of_s2() -> None:
    with pytest.raises(TypeError, match="stages"):
        LayerSpace(name="mine", projects=True, stages=((8, 1, 2),))  # type: ignore[call-arg]
