"""`fairdarts sample`: random genotypes, the baseline that a search has to beat."""

from dataclasses import asdict
from typing import Annotated

import typer

from cli.formats import Format, print_json
from cli.genotypes import count as count_cost
from cli.options import settings_named_as
from cli.progress import working


def sample(
    num_skips: Annotated[int, typer.Option(help="Exact number of skips in the normal cell.")] = 2,
    min_multadds: Annotated[
        float | None, typer.Option(help="Fewest MultAdds, in millions.")
    ] = None,
    max_multadds: Annotated[float | None, typer.Option(help="Most MultAdds, in millions.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
    count: Annotated[
        int, typer.Option(min=1, max=100_000, help="Number of genotypes, all different.")
    ] = 1,
    format_: Annotated[
        Format,
        typer.Option("--format", help="text: one line of JSON for each genotype; json: one list."),
    ] = Format.TEXT,
) -> None:
    """Draw random genotypes, all equally likely.

    Prints one line of JSON for each genotype: seed, index, params, params_with_auxiliary, multadds
    (of a CIFAR-10 network: C = 36, 20 cells, 32 x 32) and genotype. A [[random]] group of a sweep
    with the same settings draws the same genotypes.

    Examples:

    \b
        fairdarts sample --num-skips 2 --min-multadds 500 --count 7
        fairdarts sample --seed 1 --format json
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
    names = {
        "num_skips": "--num-skips",
        "min_multadds_m": "--min-multadds",
        "max_multadds_m": "--max-multadds",
        "seed": "--seed",
    }
    with working("drawing genotypes"), settings_named_as(**names):
        genotypes = samples(SampleConfig.build(values), count)
    drawn = (
        {"seed": seed, "index": index, **asdict(count_cost(one)), "genotype": one.to_dict()}
        for index, one in enumerate(genotypes)
    )
    if format_ is Format.JSON:
        with working("counting"):
            document = list(drawn)
        print_json(document)
        return
    for line in drawn:
        print(json.dumps(line))
