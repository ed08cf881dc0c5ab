"""Genotypes of S2: which choices each layer of the chain keeps. No torch here.

As text a genotype is a word for every layer, its choices joined by `+`: `E3K3 E6K5+skip skip ...`.
A layer with a skip and a block is a block with residual (MBE in the paper), two blocks are summed,
and a skip alone means that the network does without this layer.
"""

import json
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from fairdarts.config import DeriveConfig
from fairdarts.errors import ConfigError, GenotypeError
from fairdarts.genotype.contest import Derivation, check_gates, contest, places_and_threshold
from fairdarts.spaces import BLOCKS, LAYER_SKIP, S2, Layer, LayerSpace

CHOICES = (*BLOCKS, LAYER_SKIP)
NOTHING = "none"
"""The word for a layer that keeps no choice."""


@dataclass(frozen=True)
class LayerGenotype:
    """The choices of every layer, in the order of `CHOICES`: equal architectures are equal objects.

    Raises:
        GenotypeError: If a choice is not one of S2, or stands twice in a layer, or no network of
            S2 has this number of layers.
    """

    space: ClassVar = S2.name
    """Name of the search space whose presets fit a genotype that a person gives."""

    layers: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if len(self.layers) not in S2.depths:
            allowed = ", ".join(map(str, S2.depths))
            raise GenotypeError(
                f"A genotype of S2 has one of {allowed} layers, not {len(self.layers)}."
            )
        for index, choices in enumerate(self.layers):
            for choice in choices:
                if choice not in CHOICES:
                    raise GenotypeError(
                        f"layer {index}: {reprlib.repr(choice)} is not a choice of S2; allowed: "
                        f"{', '.join(CHOICES)}, joined by +, or {NOTHING}."
                    )
            if len(set(choices)) < len(choices):
                raise GenotypeError(
                    f"layer {index} (={'+'.join(choices)}) repeats a choice: each may stand once."
                )
        ordered = (tuple(sorted(choices, key=CHOICES.index)) for choices in self.layers)
        object.__setattr__(self, "layers", tuple(ordered))

    @property
    def shapes(self) -> tuple[Layer, ...]:
        """Channels and stride of every layer, at width 1."""
        return S2.layers(len(self.layers))

    def blocks(self, index: int) -> tuple[str, ...]:
        """Inverted bottlenecks of a layer, without the skip."""
        return tuple(choice for choice in self.layers[index] if choice != LAYER_SKIP)

    def pruned(self) -> Self:
        """The genotype with a skip in every layer that keeps no choice and does not change shapes.

        Both stand for the identity; one word for it makes equal networks equal genotypes.
        """
        return type(self)(
            tuple(
                choices or (() if layer.changes_shape else (LAYER_SKIP,))
                for choices, layer in zip(self.layers, self.shapes, strict=True)
            )
        )

    def invalid_reason(self) -> str | None:
        """Why no network can be built, without a full stop; None if one can."""
        for index, layer in enumerate(self.shapes):
            if layer.changes_shape and not self.blocks(index):
                return f"layer {index} changes the shape of the features and has no block"
        return None

    def summary(self) -> dict[str, int]:
        """Counts that tables show."""
        num_blocks = [len(self.blocks(index)) for index in range(len(self.layers))]
        return {
            "num_blocks": sum(num_blocks),
            "num_removed_layers": num_blocks.count(0),
            "num_skips_layers": sum(LAYER_SKIP in choices for choices in self.layers),
        }

    def to_text(self) -> str:
        """A word for every layer."""
        return " ".join("+".join(choices) or NOTHING for choices in self.layers)

    def to_dict(self) -> dict[str, list[str]]:
        """Plain lists: {"layers": ["E3K3", "E6K5+skip", ...]}."""
        return {"layers": self.to_text().split()}

    def to_json(self) -> str:
        """One line of JSON; see `to_dict`."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_words(cls, words: Iterable[str]) -> Self:
        """Build what the words say, one for each layer.

        Raises:
            GenotypeError: One sentence that names the first fault.
        """
        return cls(tuple(() if word == NOTHING else tuple(word.split("+")) for word in words))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote.

        Raises:
            GenotypeError: One sentence that names the first fault.
        """
        return cls.from_words(text.split())

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Build what `to_dict` describes, from any source.

        Raises:
            GenotypeError: One sentence that names the first fault.
        """
        words = values.get("layers") if isinstance(values, dict) and len(values) == 1 else None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise GenotypeError(
                f'A genotype of S2 must be {{"layers": [a word for every layer]}}: got '
                f"{reprlib.repr(values)}."
            )
        return cls.from_words(words)

    @classmethod
    def uniform(cls, choice: str, num_layers: int = S2.depths[-1]) -> Self:
        """The same choice in every layer, such as `E3K3`."""
        return cls(((choice,),) * num_layers)


def derive_layers(
    flat_gates: Sequence[float], config: DeriveConfig, space: LayerSpace = S2
) -> Derivation[LayerGenotype]:
    """Read a genotype off the gates of S2, as `fairdarts.genotype.cell_genotype.derive` does in S1.

    A layer plays the part of an edge. `threshold_edge` keeps its two best choices at or above
    `op_threshold`, `threshold` the best one if it reaches `op_threshold`, `darts` the best one in
    any case. Ties go to the lower index. The pruned genotype differs where a layer kept no block:
    if the layer changes the shape, it gets its best block alone, and if it kept nothing and does
    not change the shape, it is removed. The margin is the smallest of all layers.

    Args:
        flat_gates: Of all choices, layer by layer: their factors in the forward pass.
        config: Rule and threshold.
        space: Names of the choices.
    Raises:
        GenotypeError: If no network of the space has this number of gates, or one is outside
            [0, 1] (NaN after a diverged search).
    Source:
        Fair DARTS, arXiv:1911.12126, Section 5.3.
    """
    try:
        rows = space.by_layer(flat_gates)
    except ConfigError as error:
        raise GenotypeError(str(error)) from None
    places, threshold = places_and_threshold(config)
    kept: list[tuple[str, ...]] = []
    built: list[tuple[str, ...]] = []
    gaps: list[float] = []
    for index, (layer, names, gates) in enumerate(
        zip(space.layers(len(rows)), space.choices(len(rows)), rows, strict=True)
    ):
        check_gates(gates, f"layer {index}")
        winners, gap = contest(gates, places, threshold)
        gaps += gap
        choices = tuple(names[winner] for winner in winners)
        kept.append(choices)
        # Without a block here there would be no network; blocks come first among the choices.
        if layer.changes_shape and not set(choices) - {LAYER_SKIP}:
            best = max(range(len(BLOCKS)), key=gates.__getitem__)  # the first of equals
            choices = (BLOCKS[best],)
        built.append(choices)
    pruned = LayerGenotype(tuple(built)).pruned()
    return Derivation(LayerGenotype(tuple(kept)), pruned, {"layers": min(gaps, default=None)})
