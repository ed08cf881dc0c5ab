"""Figures and architectures as images inside the page."""

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from results.errors import QueryError
from results.figures.catalog import FIGURES
from results.figures.kind import Kind, Options
from results.page.facts import OK, Facts
from results.query.sql import query
from results.text import clean_text

MAX_SVG_BYTES = 150_000
"""A larger drawing becomes a PNG."""
MAX_ARCHITECTURES = 12
FONT = b"'DejaVu Sans'"
SIMILAR = b"'DejaVu Sans', Verdana, sans-serif"
"""Readers may lack matplotlib's font. Verdana is as wide."""


@dataclass(frozen=True)
class Picture:
    """An image with its words."""

    id: str
    title: str
    caption: str
    source: str
    """A data URI."""
    command: str
    """Makes it again, as a file."""


@dataclass(frozen=True)
class Gallery:
    """Pictures, and why others are not among them."""

    pictures: list[Picture]
    notes: list[str]


def figures(facts: Facts) -> Gallery:
    """Every figure that these trials have something for."""
    pictures, notes = [], []
    for kind in FIGURES.values():
        try:
            pictures.append(_figure(facts, kind))
        except QueryError as error:
            notes.append(f"{kind.name}: {clean_text(str(error))}")
    return Gallery(pictures, notes)


def _figure(facts: Facts, kind: Kind) -> Picture:
    rows = kind.data(facts.tables, Options())
    source = _svg(kind.picture(rows, Options(), "svg"))
    if source is None:
        source = _uri(kind.picture(rows, Options(), "png"), "image/png")
    paper = f" (paper: {kind.paper})" if kind.paper else ""
    command = f"fairdarts results plot {kind.name} {' '.join(facts.sweeps)} -o {kind.name}.pdf"
    return Picture(f"figure-{kind.name}", kind.name, f"{kind.about}{paper}", source, command)


def architectures(facts: Facts) -> Gallery:
    """The best genotype of each method."""
    chosen = list(_best(facts))
    pictures = []
    for trial, why in chosen[:MAX_ARCHITECTURES]:
        label, id_ = clean_text(trial["label"]), trial["trial_id"]
        drawn = facts.given.draw(trial["genotype_json"], clean_text(trial["group_label"]))
        source = drawn and (_svg(drawn, None))
        if source:
            top1 = trial["test_top1_pct"]
            tested = "" if top1 is None else f", test top-1 {top1:.2f} %"
            pictures.append(
                Picture(
                    f"architecture-{id_}",
                    clean_text(trial["group_label"]),
                    f"{label}{tested}. {why}.",
                    source,
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


def _best(facts: Facts) -> Iterator[tuple[dict[str, Any], str]]:
    """Of each method the trial whose genotype a person would choose, and by what."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in facts.trials:
        if trial["status"] == OK and trial["genotype_json"]:
            groups.setdefault((trial["sweep"], trial["group_id"]), []).append(trial)
    if not groups:
        return
    rows = query(facts.tables, SCORES).to_pylist()
    arch = {row["stage_key"]: row["arch"] for row in rows}
    val = {row["stage_key"]: row["val"] for row in rows}
    ways = (
        (lambda t: val.get(t["trained_as"] or t["retrain_key"]), "Chosen on held-out images"),
        (lambda t: arch.get(t["search_key"]), "Chosen by the search's own accuracy"),
        (lambda t: t["test_top1_pct"], "Chosen by test images, so its accuracy is biased upwards"),
    )
    for trials in groups.values():
        for score, why in ways:
            scored = [(score(t), number) for number, t in enumerate(trials) if score(t) is not None]
            if scored:
                yield trials[max(scored, key=lambda pair: (pair[0], -pair[1]))[1]], why
                break
        else:
            yield trials[0], "The first one"


def _svg(content: bytes, largest: int | None = MAX_SVG_BYTES) -> str | None:
    """An SVG as a data URI; None: it is too large."""
    if largest is not None and len(content) > largest:
        return None
    return _uri(content.replace(FONT, SIMILAR), "image/svg+xml")


def _uri(content: bytes, type_: str) -> str:
    return f"data:{type_};base64,{b64encode(content).decode()}"
