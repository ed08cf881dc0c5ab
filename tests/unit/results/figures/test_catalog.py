"""Every figure can be drawn of a small sweep, and has the rows behind it."""

import pytest

from results.errors import QueryError
from results.figures.catalog import FIGURES, figure
from results.figures.kind import Kind, Options
from results.query.tables import Tables
from results.store.store import Store

BEGINNINGS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("kind", FIGURES.values(), ids=FIGURES)
def test_every_figure_of_a_small_sweep_is_painted_from_its_rows(example: Store, kind: Kind) -> None:
    rows = kind.data(Tables(example), Options())
    assert len(rows)
    assert kind.picture(rows, Options(), "svg").startswith(BEGINNINGS["svg"])


@pytest.mark.parametrize("kind", FIGURES.values(), ids=FIGURES)
def test_a_figure_of_nothing_says_what_is_missing(store: Store, kind: Kind) -> None:
    if not kind.of_trials:
        assert len(kind.data(Tables(store), Options()))
        return
    with pytest.raises(QueryError, match="nothing to draw"):
        kind.data(Tables(store), Options())


@pytest.mark.parametrize("format_", BEGINNINGS)
def test_the_same_rows_give_the_same_file(example: Store, format_: str) -> None:
    kind = figure("dominant-skips")
    rows = kind.data(Tables(example), Options())
    once, again = (kind.picture(rows, Options(), format_) for _ in range(2))  # type: ignore[arg-type]
    assert once == again
    assert once.startswith(BEGINNINGS[format_])


def test_an_unknown_figure_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(QueryError, match="must be one of dominant-skips"):
        figure("pie")
