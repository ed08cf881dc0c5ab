"""`fairdarts results plot`: figures of the tables, each with the rows behind it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.fonts import keep_list_of_fonts
from cli.options import DEFAULT_STORE, AllSubmissionsOption, StoreOption
from cli.output import check_output, write_output
from cli.progress import working
from cli.tables import WhereOption, chosen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from results.figures.kind import Kind
    from results.figures.style import PictureFormat
    from results.query.tables import Tables

FORMATS: dict[str, "PictureFormat"] = {".png": "png", ".svg": "svg", ".pdf": "pdf"}


def plot(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of the figure; none: list them all."),
    ] = None,
    sweeps: Annotated[
        list[str] | None,
        typer.Argument(metavar="SWEEP", help="Names of sweeps in the store; default: all."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The picture: FILE.png, FILE.svg or FILE.pdf; default: NAME.png.",
        ),
    ] = None,
    trial: Annotated[
        str | None, typer.Option(metavar="ID", help="Only this trial: its id or first digits.")
    ] = None,
    edge: Annotated[
        str | None,
        typer.Option(help="Only this edge, e.g. 'normal 0-2', or layer of S2, e.g. 7."),
    ] = None,
    x: Annotated[
        str | None,
        typer.Option(
            "--x", help="Of accuracy-cost, the horizontal axis: multadds (default) or params."
        ),
    ] = None,
    where: WhereOption = None,
    store: StoreOption = DEFAULT_STORE,
    all_submissions: AllSubmissionsOption = False,
) -> None:
    """Draw a figure of the tables, and write the rows behind it.

    The rows are written as CSV beside the picture: FILE.csv. Without a name, lists the figures.

    Examples:

    \b
        fairdarts results plot
        fairdarts results plot dominant-skips quickstart -o skips.pdf
        fairdarts results plot alphas quickstart --edge "normal 0-2"
    """
    from fairdarts.errors import ConfigError
    from results.figures.catalog import figure
    from results.figures.kind import Options

    kinds = all_figures()
    if name is None:
        width = max(map(len, kinds))
        for kind in kinds.values():
            paper = f" ({kind.paper})" if kind.paper else ""
            print(f"{kind.name:<{width}}  {kind.about}{paper}")
        return
    kind = figure(name, kinds)
    picture_file = output or Path(f"{name}.png")
    format_ = FORMATS.get(picture_file.suffix.lower())
    if format_ is None:
        raise ConfigError(f"--output (={str(output)!r}) must end in .png, .svg or .pdf.")
    rows_file = picture_file.with_suffix(".csv")
    given = {"trial": trial, "edge": edge, "x": x}
    for option, value in given.items():
        if value is not None and option not in kind.options:
            raise ConfigError(f"--{option} does not fit the figure {name}.")
    for file in (picture_file, rows_file):
        check_output(file)
    if not kind.of_trials and (sweeps or where is not None):
        raise ConfigError(f"the figure {name} shows no trials: leave SWEEP and --where out.")
    options = Options(**given)
    keep_list_of_fonts()
    with working("drawing"):
        rows = kind.data(_tables(kind, store, sweeps, all_submissions, where), options)
        picture = kind.picture(rows, options, format_)
    write_output(rows_file, rows.to_csv(index=False).encode())
    write_output(picture_file, picture)
    print(f"wrote {picture_file} and {rows_file}")


def all_figures() -> dict[str, "Kind"]:
    """Every figure by name, also the drawings that only the method can make."""
    from results.figures import architecture
    from results.figures.catalog import FIGURES

    return {**FIGURES, "architecture": architecture.kind(_architecture)}


def _architecture(genotype_json: str, title: str) -> "Figure":
    from fairdarts.drawing.cell_drawing import cells_figure
    from fairdarts.drawing.layer_drawing import layers_figure
    from fairdarts.genotype.any_genotype import genotype_from_json
    from fairdarts.genotype.layer_genotype import LayerGenotype

    genotype = genotype_from_json(genotype_json)
    if isinstance(genotype, LayerGenotype):
        return layers_figure(genotype, title)
    return cells_figure(genotype, title)


def _tables(
    kind: "Kind", store: Path, sweeps: list[str] | None, all_submissions: bool, where: str | None
) -> "Tables":
    from results.query.tables import Tables
    from results.store.store import Store

    if not kind.of_trials:
        return Tables(Store(store))  # Not opened: there need not be a store.
    return chosen(Store.open(store), sweeps, all_submissions, where)
