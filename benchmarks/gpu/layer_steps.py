"""A search step in S2 at 224 x 224: everything kept for the gradient, against recomputed."""

import itertools

from benchmarks.gpu.readings import Report, Setup
from benchmarks.gpu.steps import LABELS, ours, step_reading
from benchmarks.search_speed import config_of
from fairdarts.vocabulary import Precision

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")


def measure(setup: Setup, report: Report) -> None:
    """Report both in two precisions; times are compared with those of keeping everything."""
    sizes = setup.sizes
    for precision in PRECISIONS:
        baseline_ms: float | None = None
        as_graphs = (False, True) if setup.device == "cuda" else (False,)
        for recompute, as_graph in itertools.product((False, True), as_graphs):
            config = config_of(
                sizes.layer_batch_size,
                space="s2",
                precision=precision,
                recompute=recompute,
                cuda_graph=as_graph,
                **sizes.layer_search,
            )
            how = "recomputed" if recompute else "kept"
            how += ", CUDA graph" if as_graph else ", eager"
            what = f"S2, {how}, {LABELS[precision]}, batch {config.batch_size}"
            reading = step_reading(what, ours, config, setup, sizes.layer_image_size, baseline_ms)
            report(reading)
            if baseline_ms is None:
                baseline_ms = reading.value
