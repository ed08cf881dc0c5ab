"""`fairdarts sample`: random genotypes, the baseline that a search has to beat."""

from typing import Annotated

import typer

from cli.genotypes import count as count_cost


def sample(
    num_skips: Annotated[int, typer.Option(help="Skips in the normal cell, exactly.")] = 2,
    min_multadds: Annotated[
        float | None, typer.Option(help="Fewest MultAdds, in millions.")
    ] = None,
    max_multadds: Annotated[float | None, typer.Option(help="Most MultAdds, in millions.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="How many, all distinct.")] = 1,
) -> None:
    """Draw random genotypes, all equally likely.

    Prints one line of JSON for each, with its params and MultAdds as a CIFAR-10 network (C = 36, 20
    cells, 32 x 32). Those of a sweep's [[random]] group with the same settings are the same.

    Example: fairdarts sample --num-skips 2 --min-multadds 500 --count 7
    """
    import json

    from fairdarts.config import SampleConfig
    from fairdarts.genotype.sampling import samples

    values = {
        "num_skips": num_skips,
        "min_multadds_m": min_multadds,
        "max_multadds_m": max_multadds,
        "seed": seed,
    }
    for index, genotype in enumerate(samples(SampleConfig.build(values, "random"), count)):
        cost = count_cost(genotype)
        line = {
            "seed": seed,
            "index": index,
            "params": cost.params,
            "params_with_auxiliary": cost.params_with_auxiliary,
            "multadds": cost.multadds,
            "genotype": genotype.to_dict(),
        }
        print(json.dumps(line))
