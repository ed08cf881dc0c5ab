"""The figure `architecture`: the network of one trial, by the drawings that the method makes.

Results do not import the method. Who may import both hands its way of drawing over.
"""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.figures.kind import Kind, Options
from results.figures.places import kept
from results.figures.searches import only_trial
from results.text import clean_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from results.query.tables import Tables

Draw = Callable[[str, str], "Figure"]
"""Draws a genotype, as JSON, below a title."""
GENOTYPES = """
    SELECT trials.trial_id, trials.label, genotype_json,
        coalesce(raw_genotype_json, genotype_json) AS raw_genotype_json
    FROM trials JOIN genotypes ON stage_key = coalesce(trials.derive_key, trials.sample_key)
    WHERE genotype_json IS NOT NULL
"""


def data(tables: "Tables", options: Options) -> "pd.DataFrame":
    """The operations of one genotype: of the trial of the options, or the first that has one."""
    import pandas as pd

    from results.query.sql import query

    some = only_trial(tables, options)
    found = {row["trial_id"]: row for row in query(some, GENOTYPES).to_pylist()}
    first = next((found[t["trial_id"]] for t in some.planned if t["trial_id"] in found), None)
    if first is None:
        raise QueryError("these trials have no genotype yet, so there is nothing to draw.")
    final = kept(first["genotype_json"])
    rows = [
        {"trial_id": first["trial_id"], "label": first["label"], **operation}
        | {"pruned": (operation["edge"], operation["operation"]) not in final}
        for operation in _operations(json.loads(first["raw_genotype_json"]))
    ]
    return pd.DataFrame(rows)


def _operations(genotype: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The operations of both cells, or the choices of all layers; see `to_dict` of genotypes."""
    for cell in ("normal", "reduce"):
        for edge in genotype.get(cell, []):
            source, destination = edge["from"], edge["to"]
            yield {
                "cell": cell,
                "edge": f"{cell} {source}-{destination}",
                "source": source,
                "destination": destination,
                "operation": edge["op"],
            }
    for layer, word in enumerate(genotype.get("layers", [])):
        for choice in word.split("+"):
            yield {"cell": "layers", "edge": str(layer), "operation": choice}


def _genotype(rows: "pd.DataFrame") -> dict[str, Any]:
    """The genotype that `_operations` took apart."""
    if (rows["cell"] == "layers").all():
        by_layer = rows.groupby(rows["edge"].astype(int))["operation"]
        return {"layers": ["+".join(choices) for _, choices in by_layer]}
    cells: dict[str, Any] = {"normal": [], "reduce": []}
    for row in rows.to_dict("records"):
        ends = {"from": int(row["source"]), "to": int(row["destination"])}
        cells[row["cell"]].append({"op": row["operation"], **ends})
    return cells


def kind(draw: Draw) -> Kind:
    """The figure, by a way of drawing."""

    def paint(rows: "pd.DataFrame", options: Options) -> "Figure":
        first = rows.iloc[0]
        title = clean_text(f"{first['label']} ({first['trial_id']})")
        return draw(json.dumps(_genotype(rows)), title)

    return Kind(
        "architecture",
        "The cells or layers of one trial's network; what was derived, then pruned, is grey.",
        data,
        paint,
        paper="Fig. 6, S5, S6",
        options=("trial",),
    )
