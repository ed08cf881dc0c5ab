"""How much memory a step needs, counted without running the step.

On the `meta` device tensors have shapes but no values, so a step of any size is counted in seconds.
The count is that of a GPU: with the kernels of `fairdarts.kernels`, where this machine has Triton,
and with torch's gradients for everything else.
"""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.multiprocessing.reductions import StorageWeakRef
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fairdarts.config import RetrainConfig, SearchConfig
from fairdarts.data.stream import Batch
from fairdarts.genotype.any_genotype import AnyGenotype
from fairdarts.kernels.engine import torch_only
from fairdarts.network.retrain import RetrainState, train_step
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step

META = torch.device("meta")


class HeldBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that were created inside the block and still exist."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak_bytes = 0
        """Most bytes that existed at one time."""
        self._held: dict[StorageWeakRef, int] = {}

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        self._hold((args, kwargs), output)
        return output

    def _hold(self, inputs: object, output: object) -> None:
        # A view, or the result of an operation in place, shares the memory of an input.
        given = {storage_of(leaf) for leaf in tree_leaves(inputs) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(output):
            if isinstance(leaf, Tensor) and (storage := storage_of(leaf)) not in given:
                self._held[storage] = leaf.untyped_storage().nbytes()
        num_bytes = sum(self._held.values())
        # Only now look whether some of them have been freed, because this takes long.
        if num_bytes > self.peak_bytes:
            gone = [key for key in self._held if key.expired()]  # type: ignore[no-untyped-call]
            for key in gone:
                del self._held[key]
            self.peak_bytes = max(self.peak_bytes, sum(self._held.values()))


def storage_of(tensor: Tensor) -> StorageWeakRef:
    """Identity of a tensor's memory; an address that is used again gets another identity."""
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def search_bytes(config: SearchConfig, num_classes: int, image_size: int) -> int:
    """Memory of a search on its device: its state and the largest addition by a step.

    Args:
        config: Settings of the search.
        num_classes: Outputs of the classifier.
        image_size: Height and width in pixels.
    """
    state = SearchState(config, num_classes, META)
    state.supernet.train()
    batch = _batch(config.batch_size, image_size, config.channels_last)
    # On `meta` convolutions forget the memory format, which chooses the kernels on a GPU.
    with nullcontext() if config.channels_last else torch_only():
        _make_moments(state.weight_optimizer, state.alpha_optimizer)
        with HeldBytes() as held:
            search_step(state, batch, batch, config)
    state_bytes = _state_bytes(state.weight_optimizer, state.alpha_optimizer)
    return state_bytes + int(held.peak_bytes)


def retrain_bytes(
    genotype: AnyGenotype, config: RetrainConfig, num_classes: int, image_size: int
) -> int:
    """Memory of a retraining on its device, see `search_bytes`.

    Raises:
        GenotypeError: If the genotype builds no network.
    """
    # Neither works on the meta device: compiling needs values, timm's average a real device.
    plain = config.model_copy(update={"compile": False, "ema_decay": 0.0})
    state = RetrainState(genotype, plain, num_classes, META)
    state.network.train()
    batch = _batch(config.batch_size, image_size, config.channels_last)
    _make_moments(state.optimizer)
    with HeldBytes() as held:
        train_step(state, batch, plain)
    average = _num_bytes(state.network.state_dict().values()) if config.ema_decay else 0
    return _state_bytes(state.optimizer) + average + int(held.peak_bytes)


def _make_moments(*optimizers: Optimizer) -> None:
    """What the first step makes and all others find there, without the cost of a step."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        optimizer.zero_grad()


def _batch(batch_size: int, image_size: int, channels_last: bool) -> Batch:
    images = torch.empty(batch_size, 3, image_size, image_size, device=META)
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    labels = torch.empty(batch_size, dtype=torch.int64, device=META)
    return images.contiguous(memory_format=memory_format), labels


def _state_bytes(*optimizers: Optimizer) -> int:
    """Parameters and the moments of their optimisers; gradients are part of the step."""
    tensors = [
        leaf
        for optimizer in optimizers
        for leaf in tree_leaves((optimizer.param_groups, list(optimizer.state.values())))
        if isinstance(leaf, Tensor)
    ]
    return _num_bytes(tensors)


def _num_bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)
