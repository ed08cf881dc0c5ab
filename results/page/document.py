"""The page as one HTML file, which loads nothing and asks nobody anything."""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from results.figures.catalog import FIGURES
from results.figures.kind import Kind
from results.page.answer import answers
from results.page.asked import asked, verdict
from results.page.cost import cost
from results.page.facts import Facts
from results.page.given import Given
from results.page.origins import origins, steps
from results.page.pictures import architectures, figures
from results.page.trials import trials
from results.query.aggregate import At
from results.query.tables import Tables


def report(
    tables: Tables,
    given: Given,
    versus: str | None = None,
    at: At = "last",
    kinds: Iterable[Kind] = tuple(FIGURES.values()),
) -> bytes:
    """The content of the file.

    Args:
        tables: The trials.
        given: What the tables cannot tell.
        versus: The method that others are compared with; None: see `answers`.
        at: As in `results.query.aggregate.aggregate`.
        kinds: The figures; those that these trials have nothing for are left out.
    Raises:
        QueryError: If no method or several are called `versus`.
        DamagedFile: If a file of the store is damaged.
    """
    facts = Facts(tables, given)
    of_asked, of_trials = asked(facts), trials(facts)
    style, script = _packaged("page.css"), _packaged("page.js")
    html = (
        _environment()
        .get_template("page.html")
        .render(
            name=", ".join(facts.sweeps) or "No sweep",
            store=str(tables.store.root),
            given=given,
            verdict=verdict(of_asked),
            asked=of_asked,
            answers=answers(facts, versus, at),
            figures=figures(facts, kinds),
            architectures=architectures(facts),
            trials=of_trials,
            shown={trial.id for trial in of_trials.shown},
            cost=cost(facts),
            origins=origins(facts),
            steps=steps(facts),
            style=style,
            script=script,
            # Whatever a text of a run may hold, a browser loads nothing and runs only this script.
            policy=(
                f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
                f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
            ),
        )
    )
    return html.encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("results.page", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["with_code"] = _with_code
    return environment


def _with_code(text: str) -> Markup:
    """Escaped text, with commands between backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # A backtick of a run's own text has no partner.
        return escape(text)
    pieces = [
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    ]
    return Markup("").join(pieces)


def _packaged(name: str) -> str:
    return files("results.page").joinpath("template", name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
