"""What a figure is: a name, the rows behind it, and how these are painted."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.figures.style import PictureFormat, saved, styled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from results.query.tables import Tables


@dataclass(frozen=True)
class Options:
    """What a user may choose of a figure, beside its trials."""

    trial: str | None = None
    """Only this trial: its id or the first digits."""
    edge: str | None = None
    """Only this edge, such as `normal 0-2`, or layer of S2, such as `7`."""
    x: str | None = None
    """What the horizontal axis has, such as `params`."""


@dataclass(frozen=True)
class Kind:
    """A figure that can be drawn of any trials."""

    name: str
    about: str
    """One sentence: what can be seen."""
    data: Callable[["Tables", Options], "pd.DataFrame"]
    """The rows behind the figure, whole: `paint` reads nothing else. Raises QueryError, if there is
    nothing to draw; the sentence says what is missing."""
    paint: Callable[["pd.DataFrame", Options], "Figure"]
    paper: str = ""
    """Its counterparts in the paper, such as `Fig. 2`; empty: there is none."""
    options: tuple[str, ...] = ()
    """Which fields of `Options` it takes."""
    of_trials: bool = True
    """Whether it shows trials; if not, `data` reads no table and always has rows."""

    def picture(self, rows: "pd.DataFrame", options: Options, format: PictureFormat) -> bytes:
        """The content of a file with the figure of some rows."""
        with styled():
            return saved(self.paint(rows, options), format)
