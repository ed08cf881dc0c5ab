"""From a genotype of S1 or S2 to the network that a recipe trains."""

from fairdarts.config import RetrainConfig
from fairdarts.genotype.any_genotype import AnyGenotype
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.network.cell_network import DerivedNetwork
from fairdarts.network.layer_network import LayerNetwork

AnyNetwork = DerivedNetwork | LayerNetwork


def build_network(genotype: AnyGenotype, config: RetrainConfig, num_classes: int) -> AnyNetwork:
    """A fresh network of this genotype, in the size that the settings say.

    Raises:
        GenotypeError: If the genotype builds no network.
    """
    if isinstance(genotype, LayerGenotype):
        return LayerNetwork(
            genotype,
            num_classes=num_classes,
            width=config.width,
            squeeze_excite=config.squeeze_excite,
            activation=config.activation,
            dropout=config.dropout,
        )
    return DerivedNetwork(
        genotype,
        num_classes=num_classes,
        init_channels=config.init_channels,
        num_cells=config.num_cells,
        auxiliary=config.auxiliary_weight > 0,
        drop_path_mode=config.drop_path_mode,
        stem=config.stem,
    )
