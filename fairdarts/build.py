"""From a genotype of any space to the network that a recipe trains."""

from fairdarts.architectures import AnyGenotype
from fairdarts.config import RetrainConfig
from fairdarts.layer_genotype import LayerGenotype
from fairdarts.layer_network import LayerNetwork
from fairdarts.network import DerivedNetwork

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
