"""Retraining FairDARTS_b against a network of timm with as many MultAdds, trained as timm does."""

import statistics

import torch

from benchmarks.gpu.measure import forget, peak_gib, times_ms, trace
from benchmarks.gpu.readings import Reading, Report, Setup
from benchmarks.gpu.steps import LABELS
from benchmarks.retraining import derived_row, timm_row
from fairdarts.config import RetrainConfig
from fairdarts.genotype.published import published
from fairdarts.training.precision import float32_products
from fairdarts.vocabulary import Precision

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def measure(setup: Setup, report: Report) -> None:
    """Report images a second of both, channels last, in float32 and under autocast."""
    device = torch.device(setup.device)
    for precision in PRECISIONS:
        # MultAdds do not count the auxiliary head, so neither network has one.
        config = RetrainConfig.build(
            {"precision": precision, "auxiliary_weight": 0.0} | setup.sizes.retrain
        )
        multadds, rate = 0, 0.0
        for name in ("derived", "timm"):
            forget(device)
            if name == "derived":
                row = derived_row(published("FairDARTS_b").genotype, config, device)
                multadds = row.multadds
            else:
                row = timm_row(setup.sizes.timm_model, multadds, config, device)
            with float32_products(precision):
                ms = statistics.median(times_ms(row.step, setup.sizes, device))
                peak = peak_gib(device)
                seen = trace(row.step, ms, device)
            note = f"{row.multadds / 1e6:.0f} M MultAdds, {ms:.1f} ms a step"
            if rate:
                times_as_fast = rate * ms / 1e3 / config.batch_size
                note += f", the derived network is {times_as_fast:.2f}x as fast"
            rate = 1e3 * config.batch_size / ms
            report(
                Reading(
                    f"{row.name}, {LABELS[precision]}, batch {config.batch_size}",
                    rate,
                    "images/s",
                    note,
                    kernels=seen.kernels,
                    busy_pct=seen.busy_pct,
                    peak_gib=peak,
                )
            )
