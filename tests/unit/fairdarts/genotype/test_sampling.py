import itertools
import math
from collections import Counter
from collections.abc import Hashable, Iterable

import pytest

from fairdarts.config import SampleConfig
from fairdarts.errors import ConfigError
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.genotype.sampling import sample
from fairdarts.network.cost import derived_network_cost
from fairdarts.spaces import CELL_KINDS, S1, SKIP


def multadds_m(genotype: Genotype) -> float:
    cost = derived_network_cost(
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
        sample(SampleConfig(seed=seed, index=index)).genotype
        for seed, index in itertools.product(range(5), range(5))
    }
    assert len(drawn) == 25


@pytest.mark.parametrize("num_skips", [0, 2, 5])
def test_normal_cell_has_exactly_the_skips_asked_for(num_skips: int) -> None:
    reduce_skips = set()
    for seed in range(20):
        genotype = sample(SampleConfig(seed=seed, num_skips=num_skips)).genotype
        assert genotype.num_skips("normal") == num_skips
        reduce_skips.add(genotype.num_skips("reduce"))
    assert len(reduce_skips) > 1  # the reduction cell is free


def test_every_node_has_two_distinct_inputs() -> None:
    for seed in range(20):
        genotype = sample(SampleConfig(seed=seed)).genotype
        for kind in CELL_KINDS:
            ends = [(edge.src, edge.dst) for edge in genotype.cell(kind)]
            assert [dst for _, dst in ends] == [2, 2, 3, 3, 4, 4, 5, 5]
            assert len(set(ends)) == 8
        assert Genotype.from_json(genotype.to_json()) == genotype


def test_samples_are_uniform_among_those_with_the_skips() -> None:
    drawn = [sample(SampleConfig(seed=seed)).genotype for seed in range(2000)]
    normal = [edge for genotype in drawn for edge in genotype.normal]
    reduction = [edge for genotype in drawn for edge in genotype.reduce]
    assert_uniform((edge.dst for edge in normal if edge.op == SKIP), num_values=4)
    assert_uniform((edge.op for edge in normal if edge.op != SKIP), num_values=6)
    assert_uniform((edge.op for edge in reduction), num_values=len(S1.operations))
    inputs_of_last = (tuple(e.src for e in g.normal if e.dst == 5) for g in drawn)
    assert_uniform(inputs_of_last, num_values=10)


def test_window_holds_by_a_count_of_the_real_network() -> None:
    config = SampleConfig(min_multadds_m=500.0, max_multadds_m=505.0)
    drawn = sample(config)
    assert 500.0 <= multadds_m(drawn.genotype) <= 505.0
    assert drawn.rejected["multadds"] > 0


def test_window_only_skips_candidates_of_the_unrestricted_stream() -> None:
    stream = [sample(SampleConfig(index=index)).genotype for index in range(6)]
    first_large = next(genotype for genotype in stream if multadds_m(genotype) >= 450.0)
    assert sample(SampleConfig(min_multadds_m=450.0)).genotype == first_large


def test_rejections_are_counted_along_the_stream() -> None:
    drawn = [sample(SampleConfig(index=index)).rejected["skips"] for index in range(0, 200, 50)]
    assert drawn == sorted(drawn)
    # 28 * 6^6 / 7^8 = 22.7 % of the cells have two skips: 3.4 rejections for each accepted.
    assert 2.4 < drawn[-1] / 151 < 4.4


def test_window_that_admits_nothing_is_refused_with_the_range_seen() -> None:
    with pytest.raises(ConfigError, match=r"min_multadds_m \(=900.0\).*between \d+\.\dM and"):
        sample(SampleConfig(min_multadds_m=900.0))
