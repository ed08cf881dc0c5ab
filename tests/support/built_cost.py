"""What a network of cells costs, counted on the built network: the check of the arithmetic."""

import torch

from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.network.cell_network import DerivedNetwork
from fairdarts.network.cost import NetworkCost, network_cost
from fairdarts.vocabulary import Stem


def built_cost(
    genotype: Genotype,
    *,
    init_channels: int,
    num_cells: int,
    image_size: int,
    num_classes: int,
    auxiliary: bool,
    stem: Stem = "cifar",
) -> NetworkCost:
    """Cost of the network that `genotype` builds at this scale, in a fifth of a second.

    Args:
        genotype: Raw or pruned.
        init_channels: C of the first cell.
        num_cells: Cells in the network.
        image_size: Height and width in pixels.
        num_classes: Outputs of the classifiers.
        auxiliary: Whether the network has an auxiliary head.
        stem: See `DerivedNetwork`.
    Raises:
        GenotypeError: If the genotype builds no network.
        ConfigError: If the network cannot take images of this size.
    """
    # Faster than building on the meta device. The fork leaves the caller's random numbers alone:
    # building draws weights.
    with torch.random.fork_rng(devices=[]):
        network = DerivedNetwork(
            genotype, num_classes, init_channels, num_cells, auxiliary, stem=stem
        )
    return network_cost(network, image_size)
