"""Genotypes on the command line: read an argument, count its cost, print it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairdarts.spaces import CELL_NAMES
from results.text import counted

if TYPE_CHECKING:
    from fairdarts.genotype.any_genotype import AnyGenotype
    from fairdarts.genotype.cell_cost import NetworkCost
    from fairdarts.genotype.cell_genotype import Edge, Genotype
    from fairdarts.genotype.layer_genotype import LayerGenotype
    from results.store.store import Store

GenotypeArgument = Annotated[
    str,
    typer.Argument(
        metavar="GENOTYPE",
        help="A published name (`fairdarts arch list`), the id of a stage or trial in the store or "
        "its first digits (`fairdarts show`), a file with a genotype, or the genotype itself: JSON,"
        " DARTS's \"Genotype(normal=[('sep_conv_3x3', 0), ...\", or words for the layers of "
        "S2 ('E3K3 E6K5+skip ...').",
    ),
]

NODE_NOTE = "Nodes 0, 1, ... are 2, 3, ... in the JSON; c_{k-2} and c_{k-1} are 0 and 1."


def read_genotype(text: str, store: Path) -> tuple[str, "AnyGenotype"]:
    """Read the argument GENOTYPE.

    Returns:
        A name to print, and the genotype.
    Raises:
        GenotypeError: If the text is not a genotype and does not name one.
        StoreError: If it is an id that the store does not have.
        OSError: If it is a file that cannot be read.
    """
    from fairdarts.errors import GenotypeError
    from fairdarts.genotype.any_genotype import find_genotype, is_written_out, parse_genotype
    from results.store.store import Store

    path = Path(text)
    if path.suffix == ".json" or _is_file(path):
        return path.stem, parse_genotype(_content(path))
    if id_ := stored_id(text, store):
        return id_, parse_genotype(genotype_row(Store.open(store), id_)["genotype_json"])
    if is_written_out(text):
        return "given", find_genotype(text)
    try:
        return text, find_genotype(text)
    except GenotypeError as error:
        raise GenotypeError(
            f"{str(error).rstrip('.')}; or give an id of {store} (`fairdarts show SWEEP`), a file "
            "with a genotype, JSON, Genotype(...) as DARTS prints it, or words for layers of S2."
        ) from None


def stored_id(text: str, store: Path) -> str | None:
    """Find the whole id that a person means; None if the text does not look like an id.

    Raises:
        StoreError: If it looks like one, but no id of the store begins so, or several do.
    """
    from results.query.ids import find_id, looks_like_id
    from results.store.store import Store

    return find_id(Store.open(store), text) if looks_like_id(text) else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # It is a genotype: too long for a path, or with a NUL.
        return False


def _content(path: Path) -> str:
    from fairdarts.genotype.any_genotype import MAX_CHARACTERS

    with path.open("rb") as file:
        # Reads a little more than the longest genotype (4 bytes a character in UTF-8), so that a
        # huge file takes no memory. The parser refuses what is too long or not text.
        return file.read(4 * MAX_CHARACTERS + 1).decode("utf-8", errors="replace")


def genotype_row(store: "Store", key: str) -> dict[str, Any]:
    """Find the row of the table `genotypes` for a stage or trial.

    Raises:
        StoreError: If there is no such row.
    """
    from results.errors import StoreError

    rows: list[dict[str, Any]] = store.read("genotypes", [key]).to_pylist()
    if not rows:
        parents = [
            row["derive_key"] or row["sample_key"]
            for row in trial_rows(store)
            if row["trial_id"] == key
        ]
        rows = store.read("genotypes", parents).to_pylist()
    if not rows:
        raise StoreError(
            f"{store.root} has no genotype for {key}: give the id of a trial or stage with one, "
            "or derive one from a search with `fairdarts derive`."
        )
    return rows[0]


def trial_rows(store: "Store") -> list[dict[str, Any]]:
    """Ids, methods and stages of all trials that were submitted to the store."""
    columns = ["trial_id", "method", "space", "search_key", "sample_key", "derive_key"]
    rows: list[dict[str, Any]] = store.read("trials", columns=columns).to_pylist()
    return rows


CELL_SCALE: dict[str, Any] = {
    "init_channels": 36,
    "num_cells": 20,
    "image_size": 32,
    "num_classes": 10,
    "stem": "cifar",
}
LAYER_SCALE: dict[str, Any] = {"width": 1.0, "image_size": 224, "num_classes": 1000}
"""Sizes of the paper's networks: for CIFAR-10 with cells, for ImageNet with the layers of S2."""


def count(genotype: "AnyGenotype", **given: float | str | None) -> "NetworkCost":
    """Count the cost of a genotype's network at the paper's sizes, except for those given.

    If the images are too small for an auxiliary head, no head is counted.

    Raises:
        ConfigError: If a size is given that this kind of network does not have.
    """
    from fairdarts.errors import ConfigError
    from fairdarts.genotype.cell_cost import cell_network_cost
    from fairdarts.genotype.layer_genotype import LayerGenotype
    from fairdarts.image_size import MIN_AUXILIARY_SIZE

    is_layers = isinstance(genotype, LayerGenotype)
    scale: dict[str, Any] = dict(LAYER_SCALE if is_layers else CELL_SCALE)
    for name, value in given.items():
        if value is None:
            continue
        if name not in scale:
            options = ", ".join(_option(known) for known in scale)
            raise ConfigError(f"{_option(name)} does not fit this genotype; use {options}.")
        scale[name] = value
    if isinstance(genotype, LayerGenotype):
        from fairdarts.network.cost import layer_network_cost

        return layer_network_cost(genotype, **scale)
    head = scale["image_size"] >= MIN_AUXILIARY_SIZE[scale["stem"]]
    return cell_network_cost(genotype, **scale, auxiliary=head)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def millions(number: int) -> str:
    """A count in millions, as the paper prints it."""
    return f"{number / 1e6:.2f}M"


def describe(genotype: "AnyGenotype") -> str:
    """Print both cells as formulas, one line for each node; or one line for each layer of S2."""
    from fairdarts.genotype.layer_genotype import LayerGenotype

    if isinstance(genotype, LayerGenotype):
        return "\n".join(_layer_lines(genotype))
    cells = (line for kind in CELL_NAMES for line in _cell_lines(genotype, kind))
    return "\n".join([*cells, NODE_NOTE])


def _layer_lines(genotype: "LayerGenotype") -> list[str]:
    lines = []
    for index, (word, layer) in enumerate(
        zip(genotype.to_text().split(), genotype.shapes, strict=True)
    ):
        shape = f"{layer.in_channels} -> {layer.out_channels}"
        stride = ", stride 2" if layer.stride == 2 else ""
        removed = "" if genotype.blocks(index) else "  (no block)"
        lines.append(f"layer {index:>2} ({shape}{stride}): {word}{removed}")
    return lines


def cost_line(genotype: "AnyGenotype") -> str:
    """Say in one sentence what the network costs at the paper's sizes."""
    from fairdarts.genotype.layer_genotype import LayerGenotype

    cost = count(genotype)
    if isinstance(genotype, LayerGenotype):
        return (
            f"{millions(cost.params)} params, {millions(cost.multadds)} MultAdds at 224 x 224, "
            "1000 classes."
        )
    return (
        f"{millions(cost.params)} params ({millions(cost.params_with_auxiliary)} with auxiliary "
        f"head), {millions(cost.multadds)} MultAdds\n"
        "at C = 36, 20 cells, 32 x 32, 10 classes."
    )


def _cell_lines(genotype: "Genotype", kind: str) -> list[str]:
    from fairdarts.spaces import NUM_INPUTS

    edges, live = genotype.cell(kind), genotype.live_nodes(kind)
    nodes = range(NUM_INPUTS, NUM_INPUTS + genotype.num_nodes)
    isolated = [node for node in nodes if node not in live]
    operations = counted(len(edges), "operation")
    skips = counted(genotype.num_skips(kind), "skip")
    title = f"{CELL_NAMES[kind]}: {operations} ({skips})"
    if isolated:
        title += f"; isolated: {', '.join(map(_node_name, isolated))}"
    lines = [title]
    for node in nodes:
        terms = [_term(edge, isolated) for edge in edges if edge.dst == node]
        lines.append(f"  {_node_name(node)} = {' + '.join(terms) or 'nothing'}")
    lines.append(f"  c_k    = concat({', '.join(map(_node_name, live))})")
    if any(edge.src in isolated for edge in edges):
        lines.append(
            "  [In brackets: its input is an isolated node, so the network leaves it out.]"
        )
    return lines


def _term(edge: "Edge", isolated: list[int]) -> str:
    term = f"{edge.op}({_node_name(edge.src)})"
    return f"[{term}]" if edge.src in isolated else term


def _node_name(node: int) -> str:
    return ("c_{k-2}", "c_{k-1}")[node] if node < 2 else f"node {node - 2}"
