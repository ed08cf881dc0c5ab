"""Reading and deriving genotypes where the space may be any. No torch here."""

import itertools
import reprlib
from collections.abc import Sequence
from typing import Any

from fairdarts.config import DeriveConfig
from fairdarts.errors import GenotypeError
from fairdarts.genotype.cell_genotype import Genotype, cell_gates, derive, json_object
from fairdarts.genotype.contest import Derivation
from fairdarts.genotype.darts_notation import from_darts, is_darts
from fairdarts.genotype.layer_genotype import CHOICES, LayerGenotype, derive_layers
from fairdarts.genotype.published import published
from fairdarts.spaces import CellSpace, Space

AnyGenotype = Genotype | LayerGenotype
MAX_CHARACTERS = 100_000
"""Of a genotype as text: all operations on all edges take a fifth of it."""


def parse_genotype(text: str) -> AnyGenotype:
    """Read a genotype of any space in any of its notations.

    These are JSON, the notation of DARTS (`Genotype(normal=[('sep_conv_3x3', 0), ...`), and the
    words of S2 (`E3K3 E6K5+skip ...`).

    Raises:
        GenotypeError: One sentence that names the first fault.
    """
    if len(text) > MAX_CHARACTERS:
        raise GenotypeError(
            f"A genotype has at most {MAX_CHARACTERS:,} characters: got {len(text):,}."
        )
    if text.lstrip().startswith("{"):
        return genotype_from_json(text)
    if is_darts(text):
        return from_darts(text)
    if any(choice in CHOICES for word in text.split() for choice in word.split("+")):
        return LayerGenotype.from_text(text)
    raise GenotypeError(
        f"A genotype must be JSON, Genotype(...) as DARTS prints it, or a word for each layer of "
        f"S2: got {reprlib.repr(text)}."
    )


def is_written_out(text: str) -> bool:
    """Whether a text is meant for `parse_genotype`, and is not the name of something."""
    return text.lstrip().startswith("{") or is_darts(text) or len(text.split()) > 1


def find_genotype(text: str) -> AnyGenotype:
    """The published genotype of that name, or the one that is written out.

    Raises:
        GenotypeError: If it is neither.
    """
    return parse_genotype(text) if is_written_out(text) else published(text).genotype


def genotype_from_dict(values: object) -> AnyGenotype:
    """Build the genotype that `to_dict` of either kind describes; its keys tell which kind.

    Raises:
        GenotypeError: One sentence that names the first fault.
    """
    if isinstance(values, dict) and "layers" in values:
        return LayerGenotype.from_dict(values)
    return Genotype.from_dict(values)


def genotype_from_json(text: str) -> AnyGenotype:
    """Read what `to_json` of either kind wrote.

    Raises:
        GenotypeError: One sentence that names the first fault.
    """
    return genotype_from_dict(json_object(text))


def derive_flat(
    flat_gates: Sequence[float], config: DeriveConfig, space: Space
) -> Derivation[Genotype] | Derivation[LayerGenotype]:
    """Read a genotype off all gates in one row, the form in which epochs are recorded.

    Raises:
        GenotypeError: See `fairdarts.genotype.cell_genotype.derive` and `derive_layers`.
    """
    if isinstance(space, CellSpace):
        return derive(cell_gates(flat_gates, space), config, space)
    return derive_layers(flat_gates, config, space)


def epochs_that_count(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The epochs of a search up to the one that its genotype is derived from, in order.

    A stopping rule may choose an earlier epoch than the last one: later epochs do not count.

    Args:
        rows: One or more with `epoch` and `chosen_epoch`, as they are recorded.
    """
    ordered = sorted(rows, key=lambda row: row["epoch"])
    chosen = ordered[-1]["chosen_epoch"]
    return ordered[: None if chosen is None else chosen + 1]


def derive_epochs(
    gates: Sequence[Sequence[float]], config: DeriveConfig, space: Space
) -> tuple[Derivation[Genotype] | Derivation[LayerGenotype], int]:
    """The derivation after the last epoch, and for how many final epochs it stayed the same.

    Args:
        gates: Of every epoch, in order and at least one, see `derive_flat`.
        config: Rule and threshold.
        space: Names of the candidates.
    Returns:
        What `derive_flat` gives for the last epoch; and how many epochs in a row, the last one
        included, give that genotype.
    Raises:
        GenotypeError: See `derive_flat`.
    """
    derivations = [derive_flat(flat_gates, config, space) for flat_gates in gates]
    last = derivations[-1]
    same = itertools.takewhile(
        lambda derivation: derivation.genotype == last.genotype, reversed(derivations)
    )
    return last, sum(1 for _ in same)
