"""What can be done with the genotype of any space, whichever it is. No torch here."""

import itertools
from collections.abc import Sequence

from fairdarts.config import DeriveConfig
from fairdarts.genotype.cell_genotype import Genotype, cell_gates, derive, json_object
from fairdarts.genotype.contest import Derivation
from fairdarts.genotype.layer_genotype import LayerGenotype, derive_layers
from fairdarts.spaces import CellSpace, Space

AnyGenotype = Genotype | LayerGenotype


def genotype_from_dict(values: object) -> AnyGenotype:
    """Build what the `to_dict` of a genotype of any space describes; its keys tell the space.

    Raises:
        GenotypeError: One sentence that names the first fault.
    """
    if isinstance(values, dict) and "layers" in values:
        return LayerGenotype.from_dict(values)
    return Genotype.from_dict(values)


def genotype_from_json(text: str) -> AnyGenotype:
    """Read what the `to_json` of a genotype of any space wrote.

    Raises:
        GenotypeError: One sentence that names the first fault.
    """
    return genotype_from_dict(json_object(text))


def derive_flat(
    flat_gates: Sequence[float], config: DeriveConfig, space: Space
) -> Derivation[Genotype] | Derivation[LayerGenotype]:
    """Read a genotype off all gates in one row, as epochs are recorded.

    Raises:
        GenotypeError: See `fairdarts.genotype.cell_genotype.derive` and `derive_layers`.
    """
    if isinstance(space, CellSpace):
        return derive(cell_gates(flat_gates, space), config, space)
    return derive_layers(flat_gates, config, space)


def derive_epochs(
    gates: Sequence[Sequence[float]], config: DeriveConfig, space: Space
) -> tuple[Derivation[Genotype] | Derivation[LayerGenotype], int]:
    """The derivation of a search's last epoch, and for how many epochs it had been that.

    Args:
        gates: Of every epoch, in order and at least one, see `derive_flat`.
        config: Rule and threshold.
        space: Names of the candidates.
    Returns:
        What `derive_flat` says of the last epoch, and how many epochs in a row, the last included,
        gave that genotype.
    Raises:
        GenotypeError: See `derive_flat`.
    """
    derivations = [derive_flat(flat_gates, config, space) for flat_gates in gates]
    last = derivations[-1]
    same = itertools.takewhile(
        lambda derivation: derivation.genotype == last.genotype, reversed(derivations)
    )
    return last, sum(1 for _ in same)
