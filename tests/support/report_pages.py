"""Reports of small stores, and what is on them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from results.page.document import report
from results.page.given import Given
from results.query.tables import Tables
from results.store.store import Store

NO_CONTENT = {"meta", "img", "input", "rect", "br", "link"}


def given(**more: Any) -> Given:
    values = {"written_at": datetime(2026, 1, 2, tzinfo=UTC), "version": "1", "command": "again"}
    return Given(**values | more)


@dataclass
class Page:
    """A report as a reader's program sees it."""

    html: str
    sections: dict[str, str]
    """The text of each section by its id; "" has the text outside."""
    elements: list[tuple[str, dict[str, str]]]
    """Name and attributes of every element."""

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for element, attributes in self.elements if element == name]


def page_of(store: Store, **more: Any) -> Page:
    """The report of all sweeps of a store, without figures, which are tested by themselves."""
    html = report(Tables(store), given(**more), kinds=()).decode()
    reader = _Reader()
    reader.feed(html)
    texts = {name: " ".join("".join(parts).split()) for name, parts in reader.sections.items()}
    return Page(html, texts, reader.elements)


@dataclass(eq=False)
class _Reader(HTMLParser):
    sections: dict[str, list[str]] = field(default_factory=lambda: {"": []})
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    inside: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in NO_CONTENT:
            self.open.append(tag)
        if tag == "section":
            self.inside = attributes["id"]
            self.sections[self.inside] = []
        self.sections[self.inside].append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag not in NO_CONTENT:
            assert self.open.pop() == tag
        if tag == "section":
            self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.sections[self.inside].append(data)
