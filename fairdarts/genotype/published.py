"""Published S1 genotypes with the figures printed beside them; the data is `published.json`.

CIFAR-10 figures are at C = 36 and 20 cells. Tables 6, 7 and 8 print no figure per genotype.
"""

import difflib
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType

from fairdarts.errors import GenotypeError
from fairdarts.genotype.cell_genotype import Genotype


@dataclass(frozen=True, kw_only=True)
class PublishedGenotype:
    """One genotype and what was printed about it; None where nothing was."""

    name: str
    genotype: Genotype
    source: str
    params_m: float | None
    """Millions, as printed."""
    params_include_auxiliary: bool | None
    """By our count; None if nothing is printed or it fits neither way of counting."""
    multadds_m: float | None
    """Millions, at 32 x 32."""
    top1_pct: float | None
    """CIFAR-10 test accuracy."""


def _load() -> Mapping[str, PublishedGenotype]:
    text = (
        resources.files("fairdarts.genotype").joinpath("published.json").read_text(encoding="utf-8")
    )
    # Read-only: everybody shares it.
    return MappingProxyType(
        {
            name: PublishedGenotype(
                name=name, **{**entry, "genotype": Genotype.from_dict(entry["genotype"])}
            )
            for name, entry in json.loads(text).items()
        }
    )


PUBLISHED = _load()
"""Name to published genotype: those of Fair DARTS first, then other methods, then random ones."""


def published(name: str) -> PublishedGenotype:
    """The published genotype of that name.

    Raises:
        GenotypeError: If no published genotype has that name; the message has the closest names,
            or else all.
    """
    if name not in PUBLISHED:
        names = {known.lower(): known for known in PUBLISHED}
        close = [names[match] for match in difflib.get_close_matches(name.lower(), names)]
        hint = f"closest: {', '.join(close)}" if close else f"allowed: {', '.join(PUBLISHED)}"
        raise GenotypeError(f"{reprlib.repr(name)} is not a published genotype; {hint}.")
    return PUBLISHED[name]
