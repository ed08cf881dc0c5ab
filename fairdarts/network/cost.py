"""Parameters and MultAdds of a network, by one convention.

MultAdds are those of convolutions and linear layers for one image at a stated resolution: no batch
norm, no pooling, no bias, no auxiliary head (it runs in training only).
"""

import math

import torch
from torch import Tensor, nn

from fairdarts.genotype.cell_cost import NetworkCost as NetworkCost
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.cell_network import DerivedNetwork
from fairdarts.network.layer_network import LayerNetwork
from fairdarts.operations.layer_blocks import ACTIVATION


def count_params(model: nn.Module) -> int:
    """Learnable numbers of the model."""
    return sum(parameter.numel() for parameter in model.parameters())


def multadds_by_layer(
    model: nn.Module, image_shape: tuple[int, int, int]
) -> dict[nn.Conv2d | nn.Linear, int]:
    """Multiply-adds of each layer that runs in evaluation mode.

    Args:
        model: On any device; its mode is put back, its weights and statistics are not touched.
        image_shape: (channels, height, width) of one image.
    """
    counts: dict[nn.Conv2d | nn.Linear, int] = {}

    def record(layer: nn.Conv2d | nn.Linear, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # weight[0] holds the inputs of one output element: (in / groups, kernel, kernel) or (in,).
        counts[layer] = layer.weight[0].numel() * math.prod(output.shape[1:])

    hooks = [
        layer.register_forward_hook(record)
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    was_training = model.training
    # An empty batch gives every layer's output shape and computes nothing.
    empty_batch = torch.empty(0, *image_shape, device=next(model.parameters()).device)
    try:
        with torch.inference_mode():
            model.eval()(empty_batch)
    finally:
        model.train(was_training)
        for hook in hooks:
            hook.remove()
    return counts


def count_multadds(model: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Multiply-adds of the whole model for one image; see `multadds_by_layer`."""
    return sum(multadds_by_layer(model, image_shape).values())


def network_cost(network: DerivedNetwork | LayerNetwork, image_size: int) -> NetworkCost:
    """Cost of a network for images of `image_size` pixels a side.

    Raises:
        ConfigError: If the network cannot take images of this size.
    """
    with_auxiliary = count_params(network)
    head = network.auxiliary_head
    return NetworkCost(
        params=with_auxiliary - (0 if head is None else count_params(head)),
        params_with_auxiliary=with_auxiliary,
        multadds=count_multadds(network, (3, image_size, image_size)),
    )


def layer_network_cost(
    genotype: LayerGenotype,
    *,
    image_size: int,
    num_classes: int,
    width: float = 1.0,
    squeeze_excite: bool = False,
    activation: str = ACTIVATION,
) -> NetworkCost:
    """Cost of the network of S2 that `genotype` builds at this scale; it has no auxiliary head.

    Args:
        genotype: Raw or pruned.
        image_size: Height and width in pixels.
        num_classes: Outputs of the classifier.
        width: What all channels are multiplied by.
        squeeze_excite: See `LayerNetwork`.
        activation: Likewise.
    Raises:
        GenotypeError: If the genotype builds no network.
    """
    with torch.random.fork_rng(devices=[]):
        network = LayerNetwork(genotype, num_classes, width, squeeze_excite, activation)
    return network_cost(network, image_size)
