"""The edges and layers of searches by name, for figures of gates."""

import json
from typing import TYPE_CHECKING, Any

from results.errors import QueryError
from results.query.positions import Position, positions

if TYPE_CHECKING:
    import pandas as pd

_CELLS = {"normal": "normal cell", "reduce": "reduction cell", "layers": "layers"}


def kept(genotype_json: str) -> set[tuple[str, str]]:
    """The operations of a genotype: the name of the edge or layer, and the operation."""
    genotype = json.loads(genotype_json)
    layers = enumerate(genotype.get("layers", []))
    chosen = {(str(layer), one) for layer, word in layers for one in word.split("+")}
    return chosen | {
        (f"{cell} {edge['from']}-{edge['to']}", edge["op"])
        for cell in ("normal", "reduce")
        for edge in genotype.get(cell, [])
    }


def cell_name(cell: object) -> str:
    """What a cell is called in texts for people."""
    return _CELLS[str(cell)]


def edge_name(place: Position) -> str:
    """What a user calls an edge or a layer, such as `normal 0-2` and `7`."""
    if place.destination is None:
        return str(place.edge)
    return f"{place.cell} {place.source}-{place.destination}"


def places_of(search: "pd.Series[Any]") -> list[Position]:
    """What the numbers in the lists of gates of a search stand for."""
    import pandas as pd

    num_layers = None if pd.isna(search["num_layers"]) else int(search["num_layers"])
    return positions(search["space"], num_layers)


def places(found: "pd.DataFrame", edge: str | None = None) -> "pd.DataFrame":
    """Name the places in the lists of gates of each group.

    Args:
        found: What `results.figures.searches.searches` returns.
        edge: Only this one; None: all.
    Raises:
        QueryError: If there is no such edge.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    known: dict[str, None] = {}
    for number, group in found.groupby("group_number"):
        for place in places_of(group.iloc[0]):
            name = edge_name(place)
            known[name] = None
            if edge is None or " ".join(edge.lower().removeprefix("layer").split()) == name:
                rows.append(
                    {
                        "group_number": number,
                        "position": place.position,
                        "cell": place.cell,
                        "edge": name,
                        "operation": place.operation,
                    }
                )
    if edge is not None and not rows:
        raise QueryError(f"--edge (={edge!r}) must be one of {', '.join(map(repr, known))}.")
    return pd.DataFrame(rows, columns=["group_number", "position", "cell", "edge", "operation"])
