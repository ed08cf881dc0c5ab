"""Training state to bytes and back: safetensors, so that loading can execute nothing.

The caller decides where the bytes go, and checks their sha256 before they come back.
"""

import torch
from safetensors import SafetensorError
from safetensors.numpy import save
from safetensors.torch import load
from torch import Tensor, nn
from torch.optim import Optimizer

from fairdarts.errors import CheckpointError


def state_to_bytes(
    epoch: int, modules: dict[str, nn.Module], optimizers: dict[str, Optimizer]
) -> bytes:
    """Serialise all that an epoch leaves behind.

    Learning rates are functions of the epoch and random draws of (seed, epoch, step), so weights,
    buffers and optimiser moments are the whole state.

    Args:
        epoch: Number of finished epochs.
        modules: Named modules; all parameters and buffers are kept in full precision.
        optimizers: Named optimisers; their state tensors are kept.
    """
    tensors = {"epoch": torch.tensor(epoch)}
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            tensors[f"{name}/{key}"] = value.detach().cpu().contiguous()
    for name, optimizer in optimizers.items():
        for index, moments in optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                if value is not None:
                    tensors[f"{name}/{index}/{key}"] = value.detach().cpu().contiguous()
    # The same bytes as from tensors, in a quarter of the time, and it is done after each epoch.
    return save({name: tensor.numpy() for name, tensor in tensors.items()})


def restore_state(
    content: bytes, modules: dict[str, nn.Module], optimizers: dict[str, Optimizer]
) -> int:
    """Put a serialised state back into modules and optimisers of the same configuration.

    Returns:
        The number of finished epochs; the modules and optimisers are changed in place.
    Raises:
        CheckpointError: If the bytes are not such a state or belong to another configuration.
    """
    try:
        tensors = load(content)
        epoch = int(tensors.pop("epoch"))
        for name, module in modules.items():
            module.load_state_dict(_take(tensors, name))
        for name, optimizer in optimizers.items():
            _restore_optimizer(optimizer, _take(tensors, name))
    except (SafetensorError, LookupError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"not a checkpoint of this configuration: {reason}") from error
    return epoch


def _take(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}/"
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}


def _restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, moment = key.split("/")
        parameter = parameters[int(index)]
        if value.shape == parameter.shape:
            # In the memory layout of the parameter: in another one vectorised updates would round
            # differently, and a resumed run would differ from an uninterrupted one.
            value = torch.empty_like(parameter).copy_(value)
        elif value.dim():
            shapes = f"{tuple(value.shape)}, not {tuple(parameter.shape)}"
            raise ValueError(f"{moment} {index} has shape {shapes}")
        state.setdefault(int(index), {})[moment] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
