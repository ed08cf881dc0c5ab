import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairdarts.config import DeriveConfig
from fairdarts.errors import GenotypeError
from fairdarts.genotype.any_genotype import derive_epochs, genotype_from_dict, genotype_from_json
from fairdarts.genotype.dominance import count_dominant, dominant_choices
from fairdarts.genotype.layer_genotype import CHOICES, LayerGenotype, derive_layers
from fairdarts.genotype.published import published
from fairdarts.spaces import S2, S2_IDENTITY_SKIP, LayerSpace

SIX = "E6K5+skip E3K3+E6K7 E3K5 E6K3 E3K7+skip E6K7"
TWO_BEST = DeriveConfig(rule="threshold_edge", op_threshold=0.75)


def gates(
    *high: tuple[int, str, float], space: LayerSpace = S2, num_layers: int = 11, low: float = 0.1
) -> list[float]:
    """All gates low but those named by layer and choice."""
    named = {(layer, choice): gate for layer, choice, gate in high}
    choices = space.choices(num_layers)
    return [named.get((i, name), low) for i, names in enumerate(choices) for name in names]


genotypes = st.sampled_from(S2.depths).flatmap(
    lambda depth: st.lists(
        st.lists(st.sampled_from(CHOICES), unique=True).map(tuple), min_size=depth, max_size=depth
    ).map(lambda layers: LayerGenotype(tuple(layers)))
)


@given(genotypes)
def test_a_genotype_survives_text_and_json(genotype: LayerGenotype) -> None:
    assert LayerGenotype.from_text(genotype.to_text()) == genotype
    assert genotype_from_json(genotype.to_json()) == genotype
    assert genotype_from_dict(genotype.to_dict()) == genotype


@given(genotypes)
def test_pruning_changes_nothing_twice_nor_the_blocks(genotype: LayerGenotype) -> None:
    pruned = genotype.pruned()
    assert pruned.pruned() == pruned
    assert pruned.invalid_reason() == genotype.invalid_reason()
    for index in range(len(genotype.layers)):
        assert pruned.blocks(index) == genotype.blocks(index)


def test_order_within_a_layer_does_not_matter() -> None:
    turned = LayerGenotype.from_text(SIX.replace("E6K5+skip", "skip+E6K5"))
    assert turned == LayerGenotype.from_text(SIX)
    assert turned.to_text() == SIX


def test_keys_tell_the_space_of_a_json_genotype() -> None:
    cells = published("FairDARTS_a").genotype
    assert genotype_from_json(cells.to_json()) == cells
    assert isinstance(genotype_from_json(LayerGenotype.from_text(SIX).to_json()), LayerGenotype)


def test_summary_counts_blocks_skips_and_removed_layers() -> None:
    genotype = LayerGenotype.from_text(f"{SIX} skip none skip skip E3K3")
    assert genotype.summary() == {
        "num_blocks": 8,
        "num_removed_layers": 4,
        "num_skips_layers": 5,
    }


def test_layer_that_changes_the_shape_needs_a_block() -> None:
    genotype = LayerGenotype.from_text("E3K3 E3K3 skip E3K3 E3K3 E3K3")
    reason = genotype.invalid_reason()
    assert reason == "layer 2 changes the shape of the features and has no block"
    assert LayerGenotype.from_text(SIX).invalid_reason() is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("E3K3 E3K3", r"one of 6, 11, 15, 19 layers, not 2"),
        (SIX.replace("E3K5", "E4K5"), r"layer 2: 'E4K5' is not a choice of S2; allowed: E3K3, "),
        (SIX.replace("E3K5", "E3K5+"), r"layer 2: '' is not a choice"),
        (SIX.replace("E3K5", "E3K5+E3K5"), r"layer 2 \(=E3K5\+E3K5\) repeats a choice"),
    ],
)
def test_text_that_is_no_genotype_is_refused_in_a_sentence(text: str, fault: str) -> None:
    with pytest.raises(GenotypeError, match=fault):
        LayerGenotype.from_text(text)


@pytest.mark.parametrize(
    "values", [{"layers": "E3K3"}, {"layers": [1] * 6}, {"layers": [], "x": 1}, {"layers": None}]
)
def test_json_that_is_no_genotype_is_refused_in_a_sentence(values: object) -> None:
    with pytest.raises(GenotypeError, match="layers"):
        genotype_from_dict(values)


def test_up_to_two_choices_above_the_threshold_are_kept() -> None:
    derived = derive_layers(
        gates((1, "E3K3", 0.9), (1, "skip", 0.8), (1, "E6K7", 0.95), (3, "skip", 0.75)), TWO_BEST
    )
    assert derived.genotype.layers[1] == ("E3K3", "E6K7")
    assert derived.genotype.layers[3] == ("skip",)
    assert derived.genotype.layers[5] == ()


def test_threshold_keeps_the_best_choice_and_darts_the_highest_whatever_it_is() -> None:
    values = gates((1, "E3K3", 0.9), (1, "skip", 0.8), (3, "E6K3", 0.2))
    best = derive_layers(values, DeriveConfig(rule="threshold", op_threshold=0.75)).genotype
    assert (best.layers[1], best.layers[3]) == (("E3K3",), ())
    highest = derive_layers(values, DeriveConfig(rule="darts")).genotype
    assert (highest.layers[1], highest.layers[3]) == (("E3K3",), ("E6K3",))
    assert highest.layers[5] == ("E3K3",)  # all alike: the first


def test_layer_that_changes_the_shape_with_a_skip_or_nothing_gets_its_best_block() -> None:
    values = gates((0, "skip", 0.9), (0, "E6K3", 0.3), (2, "E3K7", 0.6), (4, "E3K5", 0.8))
    derived = derive_layers(values, TWO_BEST)
    assert [derived.genotype.layers[i] for i in (0, 2, 4)] == [("skip",), (), ("E3K5",)]
    assert [derived.pruned.layers[i] for i in (0, 2, 4)] == [("E6K3",), ("E3K7",), ("E3K5",)]
    assert derived.genotype.invalid_reason() is not None
    assert derived.pruned.invalid_reason() is None


def test_layer_that_keeps_its_shape_and_kept_nothing_is_removed() -> None:
    derived = derive_layers(gates(), TWO_BEST)
    assert derived.genotype.to_text() == " ".join(["none"] * 11)
    assert derived.pruned.to_text() == " ".join(["E3K3", "skip"] * 5 + ["E3K3"])


def test_a_skip_and_a_block_above_the_threshold_stay_together_where_the_shape_changes() -> None:
    derived = derive_layers(gates((0, "skip", 0.9), (0, "E6K3", 0.8)), TWO_BEST)
    assert derived.pruned.layers[0] == ("E6K3", "skip")


def test_identity_skips_are_derived_from_ragged_gates() -> None:
    values = gates((1, "skip", 0.9), (10, "E6K7", 0.9), space=S2_IDENTITY_SKIP)
    derived = derive_layers(values, TWO_BEST, S2_IDENTITY_SKIP)
    assert derived.genotype.layers[1] == ("skip",)
    assert derived.genotype.layers[10] == ("E6K7",)


def test_margin_is_that_of_the_closest_layer() -> None:
    values = gates((1, "E3K3", 0.9), (3, "E3K3", 0.9), (3, "skip", 0.8), (3, "E6K3", 0.78))
    assert derive_layers(values, TWO_BEST).margins == {"layers": pytest.approx(0.02)}
    assert derive_layers(gates(), TWO_BEST).margins == {"layers": None}


def test_stability_counts_the_last_epochs_that_agree() -> None:
    first, last = gates((1, "E3K3", 0.9)), gates((1, "E3K3", 0.9), (3, "skip", 0.8))
    derivation, stable = derive_epochs([last, first, last, last], TWO_BEST, S2)
    assert stable == 2
    assert derivation.genotype == derive_layers(last, TWO_BEST).genotype


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ([0.5] * 41, "41 values do not fit the layers of s2"),
        ([0.5] * 40 + [float("nan"), 0.5], r"A gate of layer 5 \(=nan\) must lie in \[0, 1\]"),
        ([1.5] + [0.5] * 41, r"A gate of layer 0 \(=1.5\)"),
    ],
)
def test_gates_of_another_shape_or_range_are_refused(values: list[float], fault: str) -> None:
    with pytest.raises(GenotypeError, match=fault):
        derive_layers(values, TWO_BEST)


@given(st.lists(st.floats(0, 1), min_size=133, max_size=133), st.floats(0.01, 0.99))
def test_any_gates_give_at_most_two_choices_a_layer_and_a_network(
    values: list[float], threshold: float
) -> None:
    derived = derive_layers(values, DeriveConfig(rule="threshold_edge", op_threshold=threshold))
    assert derived.pruned.invalid_reason() is None
    rows = S2.by_layer(values)
    for choices, row in zip(derived.genotype.layers, rows, strict=True):
        assert len(choices) <= 2
        assert all(row[CHOICES.index(choice)] >= threshold for choice in choices)


def test_dominant_choice_of_a_softmax_is_the_highest_of_each_layer() -> None:
    values = gates((1, "skip", 0.9), (3, "skip", 0.2), (4, "E6K5", 0.3))
    dominant = dominant_choices(values, "softmax", S2)
    assert [layer for layer, _ in dominant] == list(range(11))
    assert {(1, "skip"), (3, "skip"), (4, "E6K5")} <= set(dominant)
    assert count_dominant(values, "softmax", S2) == (11, 2)


def test_dominant_choices_of_sigmoid_gates_are_those_above_three_quarters() -> None:
    values = gates((1, "skip", 0.9), (1, "E3K3", 0.76), (4, "E6K5", 0.75))
    assert dominant_choices(values, "sigmoid", S2) == [(1, "E3K3"), (1, "skip")]
    assert count_dominant(values, "sigmoid", S2) == (2, 1)
