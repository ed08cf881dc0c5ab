"""What a search step costs, without noise, against the plain one at the size of the paper's search.

The meta device computes nothing, so a step that ran on it has read nothing back to the host.
"""

import pytest
import torch

from benchmarks.counts import Counts, fast_counts, plain_counts, search_config
from fairdarts.kernels.engine import HAS_TRITON


@pytest.fixture(scope="module")
def plain() -> Counts:
    return plain_counts(search_config(batch_size=64))


@pytest.fixture(scope="module")
def fast() -> Counts:
    return fast_counts(search_config(batch_size=64))


@pytest.mark.slow
def test_plain_step_costs_what_the_official_code_does(plain: Counts) -> None:
    # Measured of the official search step, with the same counting.
    assert plain.kernels == pytest.approx(28_170, rel=0.1)
    assert plain.flop == pytest.approx(230e9, rel=0.01)
    assert plain.traffic_bytes == pytest.approx(139e9, rel=0.02)
    assert plain.saved_bytes_arch == pytest.approx(7.79e9, rel=0.01)
    assert plain.saved_bytes_weight == pytest.approx(7.79e9, rel=0.01)


@pytest.mark.slow
def test_recomputed_choices_of_s2_keep_little() -> None:
    kept, recomputed = (
        fast_counts(
            search_config(space="s2", width=0.25, num_layers=6, batch_size=16, recompute=recompute)
        )
        for recompute in (False, True)
    )
    assert recomputed.saved_bytes_arch < 0.05 * kept.saved_bytes_arch
    assert recomputed.saved_bytes_weight < 0.2 * kept.saved_bytes_weight
    assert recomputed.peak_bytes < 0.3 * kept.peak_bytes
    assert recomputed.flop < 1.5 * kept.flop


@pytest.mark.slow
def test_fast_step_launches_a_third_of_the_kernels(fast: Counts) -> None:
    assert fast.kernels <= 9_500


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "share"),
    [
        ("update_kernels", 0.4),
        ("traffic_bytes", 0.65),
        ("flop", 0.82),
        ("saved_bytes_arch", 0.65),
        ("saved_bytes_weight", 0.65),
    ],
)
def test_fast_step_costs_at_most_this_share_of_the_plain_one(
    fast: Counts, plain: Counts, count: str, share: float
) -> None:
    assert getattr(fast, count) <= share * getattr(plain, count)


def test_step_that_really_runs_on_a_cpu_saves_nearly_what_one_on_meta_does() -> None:
    # Nearly: a CPU computes the edges of large images one by one.
    config = search_config(batch_size=2, init_channels=2, num_cells=3)
    real, on_meta = fast_counts(config, torch.device("cpu")), fast_counts(config)
    assert real.update_kernels == on_meta.update_kernels
    assert real.saved_bytes_arch == pytest.approx(on_meta.saved_bytes_arch, rel=0.1)
    assert real.saved_bytes_weight == pytest.approx(on_meta.saved_bytes_weight, rel=0.1)


@pytest.mark.skipif(not HAS_TRITON, reason="Triton comes with torch for CUDA on Linux only")
def test_step_of_a_gpu_at_the_papers_size_launches_and_moves_little() -> None:
    counts = fast_counts(search_config(batch_size=128), kernels=True)
    # Weights and their moments are updated together, a few dozen tensors in a launch.
    assert counts.kernels + counts.update_kernels / 16 <= 4_000
    assert counts.traffic_bytes <= 75e9
    assert counts.peak_bytes <= 8e9
