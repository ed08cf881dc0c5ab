"""Figures and architectures as images inside the page."""

import io
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.errors import QueryError
from results.figures.kind import Kind, Options
from results.figures.style import saved, styled
from results.page.facts import OK, Facts, Trial
from results.query.sql import query
from results.text import clean_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SVG_BYTES = 150_000
MAX_SVG_ROWS = 4_000
MAX_SVG_ARTISTS = 800
"""A larger drawing becomes a PNG; with more rows or parts it would be larger: it is not tried."""
PNG_DPI = 150
"""Twice what a page shows, unless the figure is enlarged."""
NUM_COLORS = 64
MAX_ARCHITECTURES = 12
FONT = b"'DejaVu Sans'"
SIMILAR = b"'DejaVu Sans', Verdana, sans-serif"
"""Readers may lack matplotlib's font. Verdana is as wide."""
_SIZE = re.compile(rb'<svg [^>]*width="([0-9.]+)pt" height="([0-9.]+)pt"')


@dataclass(frozen=True)
class Picture:
    """An image with its words."""

    id: str
    title: str
    caption: str
    source: str
    """A data URI."""
    width_pt: float
    height_pt: float
    command: str
    """Makes it again, as a file."""


@dataclass(frozen=True)
class Gallery:
    """Pictures, and why others are not among them."""

    pictures: list[Picture]
    notes: list[str]


def figures(facts: Facts, kinds: Iterable[Kind]) -> Gallery:
    """Those figures that these trials have something for."""
    pictures, notes = [], []
    for kind in kinds:
        try:
            pictures.append(_figure(facts, kind))
        except QueryError as error:
            notes.append(f"{kind.name}: {clean_text(str(error))}")
    return Gallery(pictures, notes)


def _figure(facts: Facts, kind: Kind) -> Picture:
    rows = kind.data(facts.tables, Options())
    with styled():
        figure = kind.paint(rows, Options())
        source = _image(figure, len(rows))
        width_pt, height_pt = (72 * float(inches) for inches in figure.get_size_inches())
    paper = f" (paper: {kind.paper})" if kind.paper else ""
    names = facts.sweeps if kind.of_trials else []
    command = " ".join(["fairdarts results plot", kind.name, *names, f"-o {kind.name}.pdf"])
    caption = f"{kind.about}{paper}"
    id_ = f"figure-{kind.name}"
    return Picture(id_, kind.name, caption, source, width_pt, height_pt, command)


def _image(figure: "Figure", num_rows: int) -> str:
    """A figure as SVG, which is sharp at any size, or as PNG, if that would be too large."""
    num_artists = sum(len(axes.get_children()) for axes in figure.axes)
    if num_rows <= MAX_SVG_ROWS and num_artists <= MAX_SVG_ARTISTS:
        drawn = saved(figure, "svg")
        if len(drawn) <= MAX_SVG_BYTES:
            return _svg(drawn)
    return _uri(_small_png(figure), "image/png")


def _small_png(figure: "Figure") -> bytes:
    """A PNG with 64 colours, which takes a third of the space of one with all."""
    from PIL import Image

    drawn, file = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=PNG_DPI, pil_kwargs={"compress_level": 1})
    Image.open(drawn).convert("RGB").quantize(NUM_COLORS).save(file, "png", optimize=True)
    return file.getvalue()


def architectures(facts: Facts) -> Gallery:
    """The best genotype of each method."""
    chosen = list(_best(facts))
    pictures = []
    for trial, why in chosen[:MAX_ARCHITECTURES]:
        label, id_ = clean_text(trial["label"]), trial["trial_id"]
        drawn = facts.given.draw(trial["genotype_json"], clean_text(trial["group_label"]))
        if drawn:
            top1 = trial["test_top1_pct"]
            tested = "" if top1 is None else f", test top-1 {top1:.2f} %"
            pictures.append(
                Picture(
                    f"architecture-{id_}",
                    clean_text(trial["group_label"]),
                    f"{label}{tested}. {why}.",
                    _svg(drawn),
                    *_size_pt(drawn),
                    f"fairdarts arch draw {id_} -o {id_}.svg",
                )
            )
    more = len(chosen) - MAX_ARCHITECTURES
    notes = [f"{more} more methods: `fairdarts arch draw TRIAL -o FILE.svg` draws any trial."]
    return Gallery(pictures, notes if more > 0 else [])


SCORES = """
    SELECT stage_key, arg_max(arch_top1_pct, epoch) AS arch, max(val_top1_pct) AS val
    FROM epochs GROUP BY stage_key
"""
WAYS = (
    "Chosen on held-out images",
    "Chosen by the search's own accuracy",
    "Chosen by test images, so its accuracy is biased upwards",
)
"""How the best trial of a method is chosen: the first way in which one of them has a score."""


def _best(facts: Facts) -> Iterator[tuple[Trial, str]]:
    """Of each method the trial whose genotype a person would choose, and the way it was chosen."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for trial in facts.trials:
        if trial["status"] == OK and trial["genotype_json"]:
            groups.setdefault((trial["sweep"], trial["group_id"]), []).append(trial)
    if not groups:
        return
    stages = {row["stage_key"]: row for row in query(facts.tables, SCORES).to_pylist()}

    def scores(trial: Trial) -> tuple[float | None, ...]:
        retrained = stages.get(trial["trained_as"] or trial["retrain_key"], {})
        searched = stages.get(trial["search_key"], {})
        return retrained.get("val"), searched.get("arch"), trial["test_top1_pct"]

    for trials in groups.values():
        for way, of_trials in zip(WAYS, zip(*map(scores, trials), strict=True), strict=True):
            known = [(score, -place) for place, score in enumerate(of_trials) if score is not None]
            if known:
                yield trials[-max(known)[1]], way
                break


def _svg(content: bytes) -> str:
    return _uri(content.replace(FONT, SIMILAR), "image/svg+xml")


def _size_pt(svg: bytes) -> tuple[float, float]:
    """Width and height of a drawing of matplotlib."""
    match = _SIZE.search(svg)
    assert match is not None
    return float(match[1]), float(match[2])


def _uri(content: bytes, type_: str) -> str:
    return f"data:{type_};base64,{b64encode(content).decode()}"
