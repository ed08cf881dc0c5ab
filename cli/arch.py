"""`fairdarts arch`: list, show, count and draw architectures."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.fonts import keep_list_of_fonts
from cli.formats import Format, FormatOption, print_json
from cli.genotypes import GenotypeArgument, cost_line, count, describe, millions, read_genotype
from cli.options import DEFAULT_STORE, StoreOption
from cli.output import check_output, write_output
from cli.progress import working
from fairdarts.vocabulary import PictureFormat
from results.text import clean_text

if TYPE_CHECKING:
    from fairdarts.genotype.any_genotype import AnyGenotype
    from fairdarts.genotype.published import PublishedGenotype

app = typer.Typer(help="List, show, count, draw and export architectures.", no_args_is_help=True)

PICTURE_FORMATS: dict[str, PictureFormat] = {".svg": "svg", ".png": "png", ".pdf": "pdf"}


class Cells(StrEnum):
    """Which cells `arch draw` draws."""

    NORMAL = "normal"
    REDUCE = "reduce"
    BOTH = "both"


class Notation(StrEnum):
    """How `arch show` prints a genotype."""

    TEXT = "text"
    JSON = "json"
    DARTS = "darts"


class StemKind(StrEnum):
    """The layers before the first cell."""

    CIFAR = "cifar"
    IMAGENET = "imagenet"


@app.command("list")
def list_(format_: FormatOption = Format.TEXT) -> None:
    """Show the published architectures with their counts.

    Compares the counts of this program with those printed in the papers, for CIFAR-10 networks
    (C = 36, 20 cells, 32 x 32). As JSON: a list of name, source, params, params_with_auxiliary,
    multadds, genotype, and what the papers print: printed_params_m,
    printed_params_include_auxiliary, printed_multadds_m, printed_top1_pct.

    Examples:

    \b
        fairdarts arch list
        fairdarts arch list --format json > published.json
    """
    from fairdarts.genotype.published import PUBLISHED

    if format_ is Format.JSON:
        print_json([_document(entry) for entry in PUBLISHED.values()])
        return
    width = max(map(len, PUBLISHED))
    print(
        f"  {'Genotype':<{width}}  {'Params':>6}  {'+ head':>6}  {'printed':>7}    "
        f"{'MultAdds':>8}  {'printed':>7}  {'Top-1':>5}"
    )
    source = ""
    for entry in PUBLISHED.values():
        cost = count(entry.genotype)
        if entry.source != source:
            source = entry.source
            print(source)
        mark = {True: "h", False: " ", None: "?" if entry.params_m else " "}
        print(
            f"  {entry.name:<{width}}  {millions(cost.params):>6}  "
            f"{millions(cost.params_with_auxiliary):>6}  "
            f"{_printed(entry.params_m, 2, 'M'):>7} {mark[entry.params_include_auxiliary]}  "
            f"{millions(cost.multadds):>8}  {_printed(entry.multadds_m, 0, 'M'):>7}  "
            f"{_printed(entry.top1_pct, 2):>5}"
        )
    print(
        "+ head: with the auxiliary head, which is used in training only\n"
        "printed: in the paper; h: with the head; ?: fits neither count; -: not in the paper\n"
        "Top-1: in %, as printed in the paper"
    )


def _document(entry: "PublishedGenotype") -> dict[str, Any]:
    return {
        "name": entry.name,
        "source": entry.source,
        **asdict(count(entry.genotype)),
        "printed_params_m": entry.params_m,
        "printed_params_include_auxiliary": entry.params_include_auxiliary,
        "printed_multadds_m": entry.multadds_m,
        "printed_top1_pct": entry.top1_pct,
        "genotype": entry.genotype.to_dict(),
    }


def _printed(figure: float | None, decimals: int, unit: str = "") -> str:
    return "-" if figure is None else f"{figure:.{decimals}f}{unit}"


@app.command()
def show(
    genotype: GenotypeArgument,
    format_: Annotated[
        Notation,
        typer.Option(
            "--format", help="text for people, json, or darts: Genotype(normal=[...], ...)."
        ),
    ] = Notation.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Print the cells or layers of a genotype.

    As text: one line for each node of both cells, or for each layer of S2; the last line says what
    the network costs. As json or darts: the genotype alone, on one line. Every command that takes a
    GENOTYPE reads this line.

    Examples:

    \b
        fairdarts arch show FairDARTS_a
        fairdarts arch show FairDARTS_a --format json > mine.json
        fairdarts arch show FairDARTS_b --format darts
    """
    from fairdarts.errors import ConfigError
    from fairdarts.genotype.cell_genotype import Genotype
    from fairdarts.genotype.darts_notation import to_darts

    name, architecture = read_genotype(genotype, store)
    if format_ is Notation.JSON:
        print(architecture.to_json())
        return
    if format_ is Notation.DARTS:
        if not isinstance(architecture, Genotype):
            raise ConfigError("--format darts does not fit this genotype: S2 has no cells.")
        print(to_darts(architecture))
        return
    print(f"{clean_text(name)}\n{describe(architecture)}")
    if reason := architecture.invalid_reason():
        print(f"It builds no network: {reason}.")
        return
    print(cost_line(architecture))


@app.command("count")
def count_(
    genotype: GenotypeArgument,
    init_channels: Annotated[
        int | None, typer.Option(min=1, max=10**9, help="C of the first cell; default: 36.")
    ] = None,
    num_cells: Annotated[
        int | None, typer.Option(min=3, max=1000, help="Cells in the network; default: 20.")
    ] = None,
    width: Annotated[
        float | None, typer.Option(min=0.05, max=4, help="S2: multiplies channels; default: 1.")
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=4, max=10_000, help="Height and width in pixels; default: 32, or 224 for S2."
        ),
    ] = None,
    num_classes: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="Outputs of the classifiers; default: 10, or 1000 for S2."
        ),
    ] = None,
    stem: Annotated[
        StemKind | None,
        typer.Option(
            metavar="|".join(StemKind),
            help="S1: layers before the cells; imagenet halves images three times.",
        ),
    ] = None,
    format_: FormatOption = Format.TEXT,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Count parameters and MultAdds.

    For genotypes of S1, the defaults are the paper's network for CIFAR-10. The second example
    counts its network for ImageNet. As JSON: name, params, params_with_auxiliary, multadds.

    Examples:

    \b
        fairdarts arch count FairDARTS_a
        fairdarts arch count FairDARTS_a --stem imagenet --init-channels 48 \\
            --num-cells 14 --image-size 224 --num-classes 1000
    """
    from fairdarts.genotype.cell_genotype import Genotype

    name, architecture = read_genotype(genotype, store)
    cost = count(
        architecture,
        init_channels=init_channels,
        num_cells=num_cells,
        width=width,
        image_size=image_size,
        num_classes=num_classes,
        stem=stem and stem.value,
    )
    if format_ is Format.JSON:
        print_json({"name": name, **asdict(cost)})
        return
    print(f"params                     {cost.params:>15,}")
    if cost.params_with_auxiliary > cost.params:
        print(f"params with auxiliary head {cost.params_with_auxiliary:>15,}")
    elif isinstance(architecture, Genotype):
        print(f"params with auxiliary head {'-':>15} (the images are too small for a head)")
    print(f"MultAdds of one image      {cost.multadds:>15,}")


@app.command()
def draw(
    genotype: GenotypeArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The picture: FILE.svg, FILE.png or FILE.pdf."
        ),
    ],
    cell: Annotated[Cells, typer.Option(help="Which cells to draw.")] = Cells.BOTH,
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Draw the cells or layers of a genotype.

    The picture looks like those in the paper. Operations that the network leaves out are grey.

    Examples:

    \b
        fairdarts arch draw FairDARTS_a -o cells.svg
        fairdarts arch draw FairDARTS_a -o normal.png --cell normal
    """
    from fairdarts.errors import ConfigError
    from fairdarts.genotype.layer_genotype import LayerGenotype

    format_ = PICTURE_FORMATS.get(output.suffix.lower())
    if format_ is None:
        raise ConfigError(f"--output (={str(output)!r}) must end in .svg, .png or .pdf.")
    check_output(output)
    name, architecture = read_genotype(genotype, store)
    if isinstance(architecture, LayerGenotype) and cell is not Cells.BOTH:
        raise ConfigError("--cell does not fit this genotype: a network of S2 has no cells.")
    keep_list_of_fonts()
    write_output(output, _picture(architecture, clean_text(name), format_, cell))


@working("drawing")
def _picture(architecture: "AnyGenotype", title: str, format_: PictureFormat, cell: Cells) -> bytes:
    from fairdarts.genotype.layer_genotype import LayerGenotype

    if isinstance(architecture, LayerGenotype):
        from fairdarts.drawing.layer_drawing import draw_layers

        return draw_layers(architecture, title, format_)
    from fairdarts.drawing.cell_drawing import draw

    kinds = ("normal", "reduce") if cell is Cells.BOTH else (cell.value,)
    return draw(architecture, title, format_, kinds)
