"""The settings of random genotypes, for one of them and for the groups of a sweep."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fairdarts.config_base import NUM_SEEDS, Config


class RandomGenotypes(Config):
    """Which random genotypes qualify, and the seed that draws them (paper Table 3)."""

    num_skips: int = Field(default=2, ge=0, le=8)
    """Exact number of skip connections in the normal cell (M)."""
    min_multadds_m: float | None = Field(default=None, ge=0)
    """Fewest MultAdds in millions, always counted at C = 36, 20 cells, 32 x 32, also if networks
    are retrained in another size; left out: no limit."""
    max_multadds_m: float | None = Field(default=None, gt=0)
    """Most MultAdds in millions, counted in the same way; left out: no limit."""
    seed: int = Field(default=0, ge=0, lt=NUM_SEEDS)
    """Seed of the draws."""

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        lowest, highest = self.min_multadds_m, self.max_multadds_m
        if lowest is not None and highest is not None and lowest > highest:
            raise ValueError(
                f"min_multadds_m (={lowest:g}) must not exceed max_multadds_m (={highest:g})."
            )
        return self


class SampleConfig(RandomGenotypes):
    """One random genotype (paper Section 6.3 and Table 3)."""

    space: Literal["s1"] = "s1"
    """Search space that genotypes are drawn from."""
    index: int = Field(default=0, ge=0)
    """Number of the genotype, from 0, among the different ones that `seed` draws."""
