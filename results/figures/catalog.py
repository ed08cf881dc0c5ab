"""Every figure by name."""

from collections.abc import Mapping

from results.errors import QueryError
from results.figures import (
    accuracy_cost,
    alphas,
    curves,
    dominance_by_weight,
    dominant_ops,
    dominant_skips,
    evolution,
    gate_histogram,
    gates,
    ranking,
    seeds,
    timeline,
    zero_one_loss,
)
from results.figures.kind import Kind

FIGURES: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        dominant_skips.KIND,
        dominant_ops.KIND,
        alphas.KIND,
        gates.KIND,
        gate_histogram.KIND,
        dominance_by_weight.KIND,
        zero_one_loss.KIND,
        evolution.KIND,
        curves.KIND,
        accuracy_cost.KIND,
        seeds.KIND,
        ranking.KIND,
        timeline.KIND,
    )
}
"""In the order in which a newcomer looks at them: the search, then what came of it, then cost."""


def figure(name: str, kinds: Mapping[str, Kind] = FIGURES) -> Kind:
    """Find a figure.

    Args:
        name: Its name.
        kinds: Where to look.
    Raises:
        QueryError: If there is none of this name.
    """
    if name not in kinds:
        raise QueryError(f"figure (={name!r}) must be one of {', '.join(kinds)}.")
    return kinds[name]
