"""What one bi-level search step does, counted without noise.

python -m benchmarks.counts [--space s2] [--batch-size 64]

On the `meta` device tensors have shapes and no values, so a full-size step is counted in seconds,
and as a GPU would run it: by torch's own kernels, or with `--kernels` by those of
`fairdarts.kernels`, where this machine has Triton.
"""

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from benchmarks.plain import PlainState, plain_step
from fairdarts.config import SearchConfig
from fairdarts.data.stream import Batch
from fairdarts.kernels.engine import HAS_TRITON, torch_only
from fairdarts.memory import META, HeldBytes, storage_of
from fairdarts.presets import presets
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step

if TYPE_CHECKING:
    from fairdarts.kernels.launch import Launch

NUM_CLASSES = 10


@dataclass(frozen=True)
class Counts:
    """One bi-level step: forward and backward of both levels, clipping, both optimisers."""

    kernels: int
    """Operations of the forwards and backwards that are no views, and launches of our kernels; a
    gradient is one each."""
    update_kernels: int
    """Those of clipping and the optimisers, one for each tensor; a GPU fuses nearly all."""
    traffic_bytes: int
    """What all of them read and write."""
    flop: int
    """Of torch's convolutions and matrix products; a multiply-add is two. Our kernels do those of
    torch's path without saying so."""
    saved_bytes_arch: int
    """What the forward of the upper level keeps for its backward, parameters aside."""
    saved_bytes_weight: int
    """Likewise of the lower level."""
    peak_bytes: int
    """Most that is held at once of what the step makes, gradients of the parameters included."""


def fast_counts(config: SearchConfig, device: torch.device = META, kernels: bool = False) -> Counts:
    """Count `fairdarts.search.loop.search_step`, by our own kernels or by torch's."""
    state = SearchState(config, NUM_CLASSES, device)
    state.supernet.train()
    batch = _batch(config, device, config.channels_last)
    optimizers = (state.weight_optimizer, state.alpha_optimizer)
    with nullcontext() if kernels else torch_only():  # which is torch's path
        return _count(lambda: search_step(state, batch, batch, config), *optimizers)


def plain_counts(config: SearchConfig) -> Counts:
    """Count `benchmarks.plain.plain_step`, in NCHW."""
    state = PlainState.of(config, NUM_CLASSES, META)
    batch = _batch(config, META, channels_last=False)
    optimizers = (state.weight_optimizer, state.alpha_optimizer)
    return _count(lambda: plain_step(state, batch, batch, config), *optimizers)


def _batch(config: SearchConfig, device: torch.device, channels_last: bool) -> Batch:
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    size = 224 if config.space.startswith("s2") else 32
    images = torch.zeros(config.batch_size, 3, size, size, device=device)
    labels = torch.zeros(config.batch_size, dtype=torch.int64, device=device)
    return images.contiguous(memory_format=memory_format), labels


def _count(step: Callable[[], object], weights: Optimizer, alphas: Optimizer) -> Counts:
    _count_update(weights, alphas)  # makes the optimisers' moments, as only the first step does
    update = _count_update(weights, alphas)
    saved = _SavedBytes([*_parameters(weights), *_parameters(alphas)])
    whole = _OperationCounter()
    with whole, _listening(whole), saved_tensors_hooks(saved.pack, saved.unpack):
        step()
    arch, weight = saved.levels
    return Counts(
        kernels=whole.kernels - update.kernels,
        update_kernels=update.kernels,
        traffic_bytes=whole.traffic_bytes,
        flop=whole.flop,
        saved_bytes_arch=arch,
        saved_bytes_weight=weight,
        peak_bytes=whole.peak_bytes,
    )


def _count_update(weights: Optimizer, alphas: Optimizer) -> "_OperationCounter":
    """Clip and step with gradients of zero, and leave none behind."""
    for parameter in (*_parameters(weights), *_parameters(alphas)):
        parameter.grad = torch.zeros_like(parameter)
    counter = _OperationCounter()
    with counter:
        nn.utils.clip_grad_norm_(_parameters(weights), max_norm=1.0)
        weights.step()
        alphas.step()
    weights.zero_grad()
    alphas.zero_grad()
    return counter


def _parameters(optimizer: Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


class _OperationCounter(HeldBytes):  # type: ignore[no-untyped-call]
    """Counts what is dispatched inside its block."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = 0
        self.traffic_bytes = 0
        self.flop = 0

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        output = super().__torch_dispatch__(func, types, args, kwargs)
        if not _is_free(func):
            self.kernels += _num_kernels(func, args)
            self.traffic_bytes += sum(map(_num_bytes, tree_leaves((args, kwargs, output))))
            self.flop += _num_flop(func, args, output)
        return output

    def add(self, launch: "Launch") -> None:
        self.kernels += 1
        self.traffic_bytes += launch.traffic_bytes


def _listening(counter: _OperationCounter) -> AbstractContextManager[None]:
    """Inside, launches of our kernels are counted as well, where there is Triton."""
    if not HAS_TRITON:
        return nullcontext()
    from fairdarts.kernels.launch import launches

    return launches(counter.add)


NO_WORK = {
    "_unsafe_view",
    "_local_scalar_dense",
    "empty",
    "empty_like",
    "empty_strided",
    "new_empty",
}


def _is_free(operation: OpOverload) -> bool:
    """Whether it is a view, an allocation or no tensor operation at all."""
    aliases = [output.alias_info for output in operation._schema.returns]
    is_view = any(alias is not None and not alias.is_write for alias in aliases)
    return is_view or operation.namespace != "aten" or _name(operation) in NO_WORK


def _name(operation: OpOverload) -> str:
    return operation._schema.name.removeprefix("aten::")


def _num_kernels(operation: OpOverload, args: tuple[Any, ...]) -> int:
    if _name(operation) == "convolution_backward":
        return sum(args[-1])  # which of three gradients are wanted
    # One for each tensor of a list: fusing an optimiser is no merit of a supernet.
    return len(args[0]) if _name(operation).startswith(("_foreach", "_fused")) else 1


def _num_bytes(leaf: object) -> int:
    if not isinstance(leaf, Tensor):
        return 0
    # An expanded dimension is the same memory over and over.
    sizes = (size for size, stride in zip(leaf.shape, leaf.stride(), strict=True) if stride)
    return math.prod(sizes) * leaf.itemsize if leaf.numel() else 0


def _num_flop(operation: OpOverload, args: tuple[Any, ...], output: Any) -> int:
    products = 0
    match _name(operation):
        case "convolution":
            products = output.numel() * math.prod(args[1].shape[1:])
        case "convolution_backward":  # each gradient has the products of the forward
            products = args[0].numel() * math.prod(args[2].shape[1:]) * sum(args[-1][:2])
        case "mm" | "bmm":
            products = output.numel() * args[0].shape[-1]
        case "addmm":
            products = output.numel() * args[1].shape[-1]
    return 2 * products


class _SavedBytes:
    """Adds up what autograd saves, each storage once, apart for each forward."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self.levels: list[int] = []
        self.parameters = set(map(storage_of, parameters))
        self.seen: set[StorageWeakRef] = set()
        self.in_forward = False

    def pack(self, tensor: Tensor) -> Tensor:
        if not self.in_forward:
            self.in_forward = True
            self.levels.append(0)
            self.seen = set(self.parameters)
        if storage_of(tensor) not in self.seen:
            self.seen.add(storage_of(tensor))
            self.levels[-1] += tensor.untyped_storage().nbytes()
        return tensor

    def unpack(self, tensor: Tensor) -> Tensor:
        self.in_forward = False  # a backward runs: what is saved next is of another forward
        return tensor


def search_config(**changes: object) -> SearchConfig:
    """The search of the paper with some settings changed, in S1 unless a space is given."""
    space = str(changes.get("space", "s1"))
    return SearchConfig.build(presets("fairdarts", space)["search"] | changes)


def main() -> None:
    """Print the counts of the plain and of the fast step, or in S2 of recomputation."""
    parser = argparse.ArgumentParser(description="Count what one search step does.")
    parser.add_argument("--space", choices=("s1", "s2"), default="s1")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--nchw", action="store_true", help="count the fast step in NCHW")
    parser.add_argument("--kernels", action="store_true", help="count our own kernels of a GPU")
    parser.add_argument("--cpu", action="store_true", help="really run the fast step, on a CPU")
    options = parser.parse_args()
    config = search_config(
        space=options.space, batch_size=options.batch_size, channels_last=not options.nchw
    )
    device = torch.device("cpu") if options.cpu else META
    if options.space == "s1":
        kernels = options.kernels
        names = ("plain", "kernels" if kernels else "fast")
        both = (plain_counts(config), fast_counts(config, device, kernels))
    else:
        recomputed = config.model_copy(update={"recompute": True})
        names = ("fast", "recompute")
        both = (fast_counts(config, device), fast_counts(recomputed, device))
    print(f"{'':<20}{names[0]:>20}{names[1]:>20}{'ratio':>8}")
    ours = asdict(both[1])
    for name, count in asdict(both[0]).items():
        print(f"{name:<20}{count:>20,}{ours[name]:>20,}{ours[name] / count:>8.2f}")


if __name__ == "__main__":
    main()
