"""The state of a search: supernet, optimisers, and the number of finished epochs."""

import torch
from torch import Tensor, nn

from fairdarts.config import SearchConfig
from fairdarts.seeding import seed_everything
from fairdarts.spaces import CellSpace, get_space
from fairdarts.supernet.base import Supernet
from fairdarts.supernet.cell_supernet import CellSupernet
from fairdarts.supernet.layer_supernet import LayerSupernet
from fairdarts.training.checkpoint import restore_state, state_to_bytes
from fairdarts.training.schedule import cosine


class SearchState:
    """Supernet, its two optimisers and the number of finished epochs."""

    def __init__(self, config: SearchConfig, num_classes: int, device: torch.device) -> None:
        # Weights are drawn from the global generators, alphas from one of their own.
        seed_everything(config.seed, "supernet")
        memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
        supernet = build_supernet(config, num_classes)
        self.supernet = supernet.to(device).to(memory_format=memory_format)
        self.weight_optimizer = torch.optim.SGD(
            self.supernet.weight_parameters(),
            lr=config.weight_lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            fused=device.type == "cuda" or None,  # one launch for dozens of weights
        )
        self.weight_schedule = cosine(self.weight_optimizer, config.epochs, config.weight_lr_min)
        self.alpha_optimizer = torch.optim.Adam(
            self.supernet.architecture_parameters(),
            lr=config.alpha_lr,
            betas=(config.alpha_beta1, 0.999),
            weight_decay=config.alpha_weight_decay,
            # Otherwise Adam counts its steps on the host, where a CUDA graph cannot.
            capturable=config.is_captured(device.type),
            fused=device.type == "cuda" or None,
        )
        self.device = device
        self.epoch = 0
        # Room for every epoch from the start: tensors of a checkpoint keep their shapes.
        self.stopping_values = _Values(config.epochs if config.stopping else 0)

    def to_bytes(self) -> bytes:
        """The state after the last finished epoch."""
        return state_to_bytes(self.epoch, *self._parts())

    def restore(self, content: bytes) -> None:
        """Continue from `to_bytes()` of a state of the same configuration.

        Raises:
            CheckpointError: If it is not one.
        """
        self.epoch = restore_state(content, *self._parts())

    def _parts(self) -> tuple[dict[str, nn.Module], dict[str, torch.optim.Optimizer]]:
        optimizers = {"weight_sgd": self.weight_optimizer, "alpha_adam": self.alpha_optimizer}
        return {"supernet": self.supernet, "stopping": self.stopping_values}, optimizers


def build_supernet(config: SearchConfig, num_classes: int) -> Supernet:
    """The supernet of the configuration's space, its weights drawn from torch's generator."""
    space = get_space(config.space)
    if isinstance(space, CellSpace):
        return CellSupernet(config, space, num_classes)
    return LayerSupernet(config, space, num_classes)


class _Values(nn.Module):
    """What a stopping rule measured after each epoch; a module, to be saved with the others."""

    values: Tensor

    def __init__(self, num_epochs: int) -> None:
        super().__init__()
        self.register_buffer("values", torch.zeros(num_epochs, dtype=torch.float64))
