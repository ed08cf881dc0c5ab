"""The mixed operations of a node as the kernels of a GPU take them: all weights in their order."""

from torch import Tensor, nn

from fairdarts.kernels.candidates import CONVOLUTIONS, IDENTITY, POOLS, SEPARABLE, Candidates
from fairdarts.operations.norm import Norm
from fairdarts.supernet.stacked_ops import SharedPool, StackedConv, StackedSepConv


def mixed_by_kernels(
    x: Tensor,
    gates: Tensor,
    operations: tuple[str, ...],
    modules: dict[str, nn.Module],
    stride: int,
    sums: list[Tensor] | None,
) -> list[Tensor]:
    """What `MixedOps.forward` computes; see `fairdarts.kernels.engine` for when.

    Args:
        x: (B, C, H, W).
        gates: (E, O).
        operations: Names of the candidates, in the order of the gates.
        modules: Those that the kernels know, by name.
        stride: Of all of them.
        sums: See `MixedOps.forward`.
    """
    from fairdarts.kernels.node import mixed_operations  # where there is Triton

    firsts, seconds, norms = [], [], []
    for name in CONVOLUTIONS:
        module = modules[name]
        if isinstance(module, StackedSepConv):
            firsts.append(module.first)
            seconds.append(module.second)
        else:
            assert isinstance(module, StackedConv)
            firsts.append(module)
    assert len(seconds) == len(SEPARABLE)
    for name in POOLS:
        pool = modules[name]
        assert isinstance(pool, SharedPool)
        norms.append(pool.norm)
    all_norms: list[Norm] = [*(f.norm for f in firsts), *norms, *(s.norm for s in seconds)]
    known = (*CONVOLUTIONS, *POOLS, IDENTITY)
    candidates = Candidates(
        stride=stride,
        columns=tuple(operations.index(name) if name in modules else -1 for name in known),
        depthwise=tuple(stage.depthwise for stage in (*firsts, *seconds)),
        pointwise=tuple(stage.pointwise for stage in (*firsts, *seconds)),
        means=tuple(norm.running_mean for norm in all_norms),
        variances=tuple(norm.running_var for norm in all_norms),
        momentum=all_norms[0].momentum,
    )
    return list(mixed_operations(x, gates, candidates, sums))
