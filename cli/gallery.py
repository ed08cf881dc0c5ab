"""Generates `docs/figures.md` from the figures, and their thumbnails from a store.

`make docs` writes the page (`python -m cli.gallery docs/figures.md`); a test compares it with the
figures. `make figures` runs the sweeps of `examples/gallery` and draws the thumbnails, too.
"""

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

from cli.plot import all_figures

if TYPE_CHECKING:
    from results.figures.kind import Kind
    from results.query.tables import Tables

TITLE = """# Figures

`make docs` generates this page from the figures; change their modules in `results/figures`, not
this page. `make figures` draws the pictures again, from searches of minutes on the digits images
of scikit-learn (the sweeps in [examples/gallery](../examples/gallery)): they show what a figure
looks like, not what a method does on CIFAR-10.

`fairdarts results plot NAME SWEEP -o FILE` draws a figure of the trials of a sweep, as PNG, SVG
or PDF, and writes the rows behind it to a CSV file beside it: a figure shows nothing else.
`--where` chooses trials by a condition in SQL, `--trial` one trial. Without a name, the command
lists all figures.

Figures are as wide as one column or both columns of a two-column page, so that a paper need not
scale them. An operation has the same colour in every figure and in drawings of networks. Colours
differ in lightness, and lines in dashes, so that a grey print or colour-blind eyes can tell them
apart. Means are of the searches that got as far as half of their group did, so that no line jumps
where a run ended; "n = 3 of 4" says so.
"""
SWEEPS = {"dominance-by-weight": "weights"}
"""Figures whose thumbnail is not of the sweep `s1`."""
DOCS = Path(__file__).parent.parent / "docs"
DPI = 110
COLORS = 64
"""A thumbnail has at most this many, which makes its file small."""


def page() -> str:
    """The whole page."""
    return "\n".join([TITLE, *(_section(kind) for kind in all_figures().values())])


def _section(kind: "Kind") -> str:
    sweep = f" {SWEEPS.get(kind.name, 's1')}" if kind.of_trials else ""
    lines = [f"## {kind.name}\n", f"{kind.about}\n"]
    if kind.paper:
        lines.append(f"In the paper: {kind.paper.replace(' S', ' supplementary ')}.\n")
    if kind.options:
        lines.append(f"Options: {', '.join(f'`--{name}`' for name in kind.options)}.\n")
    lines.append(f"```\nfairdarts results plot {kind.name}{sweep} -o {kind.name}.pdf\n```\n")
    if (DOCS / _file(kind)).exists():
        lines.append(f"![{kind.name}]({_file(kind)})\n")
    return "\n".join(lines)


def _file(kind: "Kind") -> str:
    return f"figures/{kind.name}.png"


def draw(kind: "Kind", tables: "Tables") -> bytes:
    """A small picture of a figure."""
    from PIL import Image

    from results.figures.kind import Options
    from results.figures.style import styled

    options = Options()
    large, small = io.BytesIO(), io.BytesIO()
    with styled():
        kind.paint(kind.data(tables, options), options).savefig(large, format="png", dpi=DPI)
    Image.open(large).convert("RGB").quantize(COLORS).save(small, format="png", optimize=True)
    return small.getvalue()


def main() -> None:
    """Write the page, and with a store the pictures that it has something for."""
    from results.errors import ResultsError
    from results.query.tables import Tables
    from results.store.store import Store

    parser = argparse.ArgumentParser(description="Write the page of figures.")
    parser.add_argument("page", type=Path)
    parser.add_argument("--store", type=Path, help="Draws the pictures of these sweeps.")
    given = parser.parse_args()
    if given.store is not None:
        for kind in all_figures().values():
            try:
                tables = Tables(Store.open(given.store), [SWEEPS.get(kind.name, "s1")])
                content = draw(kind, tables)
            except ResultsError as error:
                print(f"{kind.name}: {error}")
                continue
            file = given.page.parent / _file(kind)
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(content)
    given.page.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
