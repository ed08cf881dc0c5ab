"""The figure `zero-one-loss`: both forms of the loss, and their slopes. It needs no trials."""

from typing import TYPE_CHECKING, Any

from results.figures.kind import Kind, Options
from results.figures.panel import Scale
from results.figures.panels import Block, label_ends, small_multiples, text_width
from results.figures.style import COLUMN_IN, GROUP_COLORS, QUIET

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from results.query.tables import Tables

NUM_GATES = 201
FORMS = {"l2": "L2 (proposed)", "l1": "L1 (control)"}


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """Of one gate from 0 to 1 the loss in both forms, and its slope.

    Source:
        Fair DARTS, arXiv:1911.12126, Eq. 7 and 9, with N = 1.
    """
    import numpy as np
    import pandas as pd

    gates = np.linspace(0, 1, NUM_GATES)
    away = gates - 0.5
    losses = {"l2": (-(away**2), -2 * away), "l1": (-abs(away), -np.sign(away))}
    parts = [
        pd.DataFrame({"form": form, "gate": gates, "loss": loss, "slope": slope})
        for form, (loss, slope) in losses.items()
    ]
    return pd.concat(parts, ignore_index=True)


def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
    """The loss above, its slope below."""
    figure, ((above,), (below,)) = small_multiples(
        [
            Block(["zero-one loss of one gate"], y=Scale("", -0.55, 0.05)),
            Block(["its slope"], y=Scale("", -1.1, 1.1, whole=True)),
        ],
        1,
        1.15,
        Scale("gate", 0, 1),
        Scale("", -1.1, 1.1),
        width=COLUMN_IN,
        right=text_width(FORMS.values()) + 0.25,
    )
    ends = []
    for number, (form, label) in enumerate(FORMS.items()):
        of_form = rows[rows["form"] == form]
        style: dict[str, Any] = {"color": GROUP_COLORS[number], "ls": ("-", "--")[number]}
        for panel, column in ((above, "loss"), (below, "slope")):
            panel.line([0, 1], [0, 0], color=QUIET, lw=0.4)
            panel.line(of_form["gate"], of_form[column], **style)
        ends.append((float(of_form["loss"].iloc[-1]), label, GROUP_COLORS[number]))
    label_ends(above, ends)
    return figure


KIND = Kind(
    "zero-one-loss",
    "Both forms of the zero-one loss against a gate, and their slopes; needs no trials.",
    data,
    paint,
    paper="Fig. 5",
    of_trials=False,
)
