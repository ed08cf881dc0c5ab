"""The page of figures shows every figure that there is."""

import re

from repository import ROOT

from cli.gallery import page
from cli.plot import all_figures

PAGE = ROOT / "docs" / "figures.md"
MOST_BYTES = 1_000_000


def test_the_page_is_what_the_figures_say_now() -> None:
    assert PAGE.read_text("utf-8") == page(), (
        "run `make docs`, that is `python -m cli.gallery docs/figures.md`"
    )
    assert re.findall(r"^## (.+)$", PAGE.read_text("utf-8"), re.MULTILINE) == list(all_figures())


def test_thumbnails_are_small_and_of_figures_that_there_are() -> None:
    files = list((ROOT / "docs" / "figures").iterdir())
    assert {file.stem for file in files} <= all_figures().keys()
    assert sum(file.stat().st_size for file in files) < MOST_BYTES
