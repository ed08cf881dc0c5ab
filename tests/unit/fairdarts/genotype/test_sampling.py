import itertools
import math
from collections import Counter
from collections.abc import Hashable, Iterable

import pytest
from built_cost import built_cost

from fairdarts.config import SampleConfig
from fairdarts.errors import ConfigError
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.genotype.sampling import check_sample, sample, samples
from fairdarts.spaces import CELL_KINDS, S1, SKIP


def multadds_m(genotype: Genotype) -> float:
    """MultAdds of the real network, counted layer by layer."""
    cost = built_cost(
        genotype, init_channels=36, num_cells=20, image_size=32, num_classes=10, auxiliary=False
    )
    return cost.multadds / 1e6


def assert_uniform(drawn: Iterable[Hashable], num_values: int) -> None:
    counts = Counter(drawn)
    assert len(counts) == num_values
    expected = counts.total() / num_values
    chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
    freedom = num_values - 1
    assert chi_square < freedom + 4 * math.sqrt(2 * freedom)  # its mean and four deviations


def test_same_seed_and_index_draw_the_same_genotype() -> None:
    config = SampleConfig(seed=3, index=2)
    assert sample(config) == sample(config)


def test_seeds_and_indices_draw_different_genotypes() -> None:
    drawn = {
        sample(SampleConfig(seed=seed, index=index))
        for seed, index in itertools.product(range(5), range(5))
    }
    assert len(drawn) == 25


@pytest.mark.parametrize("num_skips", [0, 2, 5])
def test_normal_cell_has_exactly_the_skips_asked_for(num_skips: int) -> None:
    reduce_skips = set()
    for seed in range(20):
        genotype = sample(SampleConfig(seed=seed, num_skips=num_skips))
        assert genotype.num_skips("normal") == num_skips
        reduce_skips.add(genotype.num_skips("reduce"))
    assert len(reduce_skips) > 1  # the reduction cell is free


def test_every_node_has_two_distinct_inputs() -> None:
    for seed in range(20):
        genotype = sample(SampleConfig(seed=seed))
        for kind in CELL_KINDS:
            ends = [(edge.src, edge.dst) for edge in genotype.cell(kind)]
            assert [dst for _, dst in ends] == [2, 2, 3, 3, 4, 4, 5, 5]
            assert len(set(ends)) == 8
        assert Genotype.from_json(genotype.to_json()) == genotype


def test_samples_are_uniform_among_those_with_the_skips() -> None:
    drawn = samples(SampleConfig(), 2000)
    normal = [edge for genotype in drawn for edge in genotype.normal]
    reduction = [edge for genotype in drawn for edge in genotype.reduce]
    assert_uniform((edge.dst for edge in normal if edge.op == SKIP), num_values=4)
    assert_uniform((edge.op for edge in normal if edge.op != SKIP), num_values=6)
    assert_uniform((edge.op for edge in reduction), num_values=len(S1.operations))
    inputs_of_last = (tuple(e.src for e in g.normal if e.dst == 5) for g in drawn)
    assert_uniform(inputs_of_last, num_values=10)


def test_the_window_holds_by_a_count_of_the_real_network() -> None:
    for genotype in samples(SampleConfig(min_multadds_m=500.0, max_multadds_m=505.0), 3):
        assert 500.0 <= multadds_m(genotype) <= 505.0


def test_every_number_of_a_window_is_another_genotype_in_it() -> None:
    candidates = check_sample(SampleConfig(num_skips=8, min_multadds_m=280.7), 1)
    assert len(candidates) == 180 * 180  # Only the links differ: each operation is the dearest.
    numbered = [candidates.genotype(number) for number in range(0, len(candidates), 60)]
    assert len(set(numbered)) == len(numbered)
    assert {edge.op for genotype in numbered for edge in genotype.reduce} == {"sep_conv_5x5"}


def test_the_counted_genotypes_are_all_there_are() -> None:
    # Of each node: two of its possible inputs, and an operation on both.
    wirings = math.prod(math.comb(node, 2) for node in range(2, 6))
    for num_skips in (0, 2, 8):
        normal = math.comb(8, num_skips) * 6 ** (8 - num_skips)
        candidates = check_sample(SampleConfig(num_skips=num_skips), 1)
        assert len(candidates) == wirings**2 * normal * 7**8


def test_the_index_is_a_place_in_the_list_of_samples() -> None:
    config = SampleConfig(seed=4, num_skips=8)
    listed = samples(config, 50)
    assert [sample(config.model_copy(update={"index": index})) for index in (0, 7, 49)] == [
        listed[0],
        listed[7],
        listed[49],
    ]


def test_any_number_of_skips_and_thousands_of_samples_are_quick() -> None:
    for num_skips in range(9):
        drawn = samples(SampleConfig(num_skips=num_skips), 500)
        assert len(set(drawn)) == 500


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"min_multadds_m": 900.0}, ["min_multadds_m = 900: none exists", "227.3M to 683.6M"]),
        ({"max_multadds_m": 100.0}, ["max_multadds_m = 100: none exists", "227.3M to 683.6M"]),
        (
            {"min_multadds_m": 500.0, "max_multadds_m": 500.001},
            ["none exists", "next to this window 499.992M and 500.020M"],
        ),
        ({"num_skips": 8, "min_multadds_m": 400.0}, ["num_skips = 8", "227.3M to 280.8M"]),
    ],
)
def test_a_window_that_admits_nothing_is_refused_with_what_is_possible(
    window: dict[str, float], words: list[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        sample(SampleConfig(**window))
    for word in words:
        assert word in str(error.value)


def test_more_samples_than_there_are_end_in_a_sentence_that_counts_them() -> None:
    config = SampleConfig(num_skips=8, min_multadds_m=280.7)
    with pytest.raises(ConfigError, match="only 32,400 exist, and 32,401 are asked for"):
        samples(config, 32_401)


def test_a_window_upside_down_is_refused() -> None:
    with pytest.raises(ConfigError, match="must not exceed max_multadds_m"):
        SampleConfig.build({"min_multadds_m": 500.0, "max_multadds_m": 400.0}, "random")
