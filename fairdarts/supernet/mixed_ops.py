"""Mixed operations: every candidate on every edge, each scaled by its gate (Eq. 6).

All edges that leave a node read the same features, so their candidates are computed together:
pools and identity once for all of them, and the convolutions of E edges as one of E * C channels.

Shapes: B batch, C channels, H W space, E edges that leave the node, O candidate operations.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from fairdarts.kernels.engine import serves_kernels
from fairdarts.operations.norm import Channels
from fairdarts.spaces import SKIP, CellSpace
from fairdarts.supernet.kernel_ops import mixed_by_kernels
from fairdarts.supernet.perturbation import Perturbation
from fairdarts.supernet.stacked_ops import POOLS, SEPARATE, SharedPool, StackedReduce

CPU_CACHE_BYTES = 2 << 20
"""A CPU computes about this many bytes of features at once, so that they stay in its cache."""


class MixedOps(nn.Module):
    """The mixed operations of all edges that leave one node (Eq. 6; Eq. 2 with softmax gates)."""

    def __init__(self, space: CellSpace, channels: int, num_edges: int, stride: int) -> None:
        super().__init__()
        self.channels = channels
        self.num_edges = num_edges
        self.shared = nn.ModuleDict()  # no weights: one result serves every edge
        self.separate = nn.ModuleDict()  # weights of its own on every edge
        for name in space.operations:
            if name in POOLS:
                self.shared[name] = SharedPool(POOLS[name], channels, stride)
            elif name == SKIP and stride == 1:
                self.shared[name] = nn.Identity()
            else:
                self.separate[name] = SEPARATE[name](channels, num_edges, stride)
        self.stride = stride
        self.operations = space.operations

    def forward(
        self,
        x: Tensor,
        gates: Tensor,
        perturbation: Perturbation | None = None,
        sums: list[Tensor] | None = None,
    ) -> list[Tensor]:
        """Mix the candidates on each edge, and add them to what the edges' ends have so far.

        Args:
            x: Features (B, C, H, W).
            gates: (E, O).
            perturbation: What may change the features of operations.
            sums: E tensors of the shape of the results, to be added; they may be overwritten.
        Returns:
            E tensors (B, C, H / stride, W / stride): sum over o of gate[e, o] * operation o of x,
            added to `sums`.
        """
        if self._on_kernels(x, perturbation):
            return self._by_kernels(x, gates, sums)
        mixed = self._by_torch(x, gates, perturbation)
        if sums is None:
            return mixed
        # In place: the sum so far is a tensor that nothing else reads.
        return [total.add_(features) for total, features in zip(sums, mixed, strict=True)]

    def _by_torch(
        self, x: Tensor, gates: Tensor, perturbation: Perturbation | None
    ) -> list[Tensor]:
        # The sum of Eq. 6, sum over o of gate[e, o] * o(x), in two parts. Operations without
        # weights (`shared`) give the same features on every edge, unless a perturbation touches
        # them: one matrix product of gates and features sums these for all edges (`gated_sums`).
        # Each of the other operations gives every edge features of its own; `_terms` computes
        # them side by side, already multiplied by their gates.
        gate_of = dict(zip(self.operations, gates.unbind(dim=1), strict=True))
        shared = {name: operation(x) for name, operation in self.shared.items()}
        alike = [name for name in shared if not self._touched(name, perturbation)]
        # Contiguous: batch norm's CPU gradient reads beyond a weight of stride 0.
        scales = {
            name: gate[:, None].expand(-1, self.channels).flatten().contiguous()
            for name, gate in gate_of.items()
            if name not in alike
        }
        rectified = x.relu()
        mixed: list[Tensor] = []
        for num_edges, part in self._parts(x):
            terms = self._terms(rectified, shared, scales, num_edges, part, perturbation)
            mixed += torch.split(sum_in_place(terms), self.channels, dim=1)
        if not alike:
            return [features.clone() for features in mixed]  # views cannot be added to in place
        gates_alike = torch.stack([gate_of[name] for name in alike], dim=1)
        sums = gated_sums(gates_alike, [shared[name] for name in alike])
        return [a + b for a, b in zip(sums, mixed, strict=True)]

    def _on_kernels(self, x: Tensor, perturbation: Perturbation | None) -> bool:
        """Whether this is what the kernels of a GPU know, and x is where they are."""
        disturbed = any(self._touched(name, perturbation) for name in self.operations)
        known = self.training and not disturbed
        return known and serves_kernels(x, self.operations, self.num_edges, self.stride)

    def _by_kernels(self, x: Tensor, gates: Tensor, sums: list[Tensor] | None) -> list[Tensor]:
        modules = dict(self.shared.items()) | dict(self.separate.items())
        reduce = modules.pop(SKIP, None) if self.stride == 2 else None
        mixed = mixed_by_kernels(x, gates, self.operations, modules, self.stride, sums)
        if isinstance(reduce, StackedReduce):  # the one candidate that only reduction cells have
            gate = gates[:, self.operations.index(SKIP)]
            scale = gate[:, None].expand(-1, self.channels).flatten()
            reduced = reduce.of_shared(x.relu(), scale.contiguous())
            for features, term in zip(
                mixed, torch.split(reduced, self.channels, dim=1), strict=True
            ):
                features.add_(term)
        return mixed

    def _terms(
        self,
        rectified: Tensor,
        shared: dict[str, Tensor],
        scales: dict[str, Tensor],
        num_edges: int,
        part: Channels,
        perturbation: Perturbation | None,
    ) -> Iterator[Tensor]:
        """Gated features of what differs between the edges of a part, (B, num_edges * C, ...)."""

        def gated(name: str, features: Tensor) -> Tensor:
            assert perturbation is not None
            by_edge = torch.unflatten(features, 1, (num_edges, self.channels))
            disturbed = perturbation.on_output(name, by_edge).flatten(1, 2)
            return disturbed * scales[name][part][:, None, None]

        stacked = _repeat(rectified, num_edges)
        for name, operation in self.separate.items():
            if self._touched(name, perturbation):
                yield gated(name, operation(stacked, part))
            else:
                # The gate goes in as the weight of batch norm, which multiplies anyway.
                yield operation(stacked, part, scales[name][part])
        for name, features in shared.items():
            if self._touched(name, perturbation):
                yield gated(name, _repeat(features, num_edges))

    def _touched(self, name: str, perturbation: Perturbation | None) -> bool:
        return perturbation is not None and perturbation.touches(name, self.stride)

    def _parts(self, x: Tensor) -> list[tuple[int, Channels]]:
        """The parts to compute one by one: the number of edges in each, and their channels."""
        together = self.num_edges
        if x.device.type == "cpu":  # a GPU wants few, large kernels
            together = min(max(1, CPU_CACHE_BYTES // x.nbytes), self.num_edges)
        if together == self.num_edges:
            return [(self.num_edges, ...)]
        parts: list[tuple[int, Channels]] = []
        for first in range(0, self.num_edges, together):
            last = min(first + together, self.num_edges)
            parts.append((last - first, slice(first * self.channels, last * self.channels)))
        return parts


def gated_sums(gates: Tensor, features: list[Tensor]) -> tuple[Tensor, ...]:
    """Gates (E, S), and S features of the same shape and memory format, to E weighted sums."""
    first = features[0]
    channels_last = first.is_contiguous(memory_format=torch.channels_last)
    # One matrix product over the features as they lie in memory.
    order, back = ((0, 2, 3, 1), (0, 3, 1, 2)) if channels_last else ((0, 1, 2, 3),) * 2
    rows = torch.stack([feature.permute(order) for feature in features])
    sums = (gates @ rows.flatten(1)).view(-1, *rows.shape[1:])
    return tuple(total.permute(back) for total in sums.unbind())


def _repeat(features: Tensor, times: int) -> Tensor:
    return torch.cat([features] * times, dim=1) if times > 1 else features


def sum_in_place(terms: Iterator[Tensor]) -> Tensor:
    """Add up terms of the same shape.

    Args:
        terms: One or more. The first is overwritten: no gradient may need its values.
    Returns:
        The first term, changed in place.
    """
    total = next(terms)
    for term in terms:
        total.add_(term)
    return total
