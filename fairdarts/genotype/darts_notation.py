"""The notation that DARTS and its descendants print: `Genotype(normal=[('sep_conv_3x3', 0), ...`.

DARTS (arXiv:1806.09055) writes (operation, from) and lists the inputs of the nodes in turn, two
each. Fair DARTS (official code, `genotypes.py`) writes (operation, to, from), since a node may have
any number of inputs. Nodes are numbered as in `fairdarts.genotype.cell_genotype`. No torch here.
"""

import ast
import re
import reprlib
import warnings
from typing import Any

from fairdarts.errors import GenotypeError
from fairdarts.genotype.cell_genotype import Genotype
from fairdarts.spaces import CELL_KINDS, NUM_INPUTS, S1

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
NONE = "none"
"""DARTS's operation whose output is zero."""
NODES = tuple(range(NUM_INPUTS, NUM_INPUTS + S1.num_nodes))
INPUTS_OF_A_NODE = 2
"""In the form of DARTS."""
NOT_ONE = "A genotype in the notation of DARTS must be one Genotype(...) and nothing else"

_START = re.compile(r"\s*(\w+\s*=\s*)?Genotype\s*\(")


def is_darts(text: str) -> bool:
    """Whether a text begins like this notation: `Genotype(`, or `NAME = Genotype(`."""
    return _START.match(text) is not None


def to_darts(genotype: Genotype) -> str:
    """One line of Python: in DARTS's form where every node has two inputs, else in Fair DARTS's."""
    two_values = all(
        [edge.dst for edge in genotype.cell(kind)]
        == [node for node in NODES for _ in range(INPUTS_OF_A_NODE)]
        for kind in CELL_KINDS
    )
    parts = []
    for kind in CELL_KINDS:
        entries = [
            (edge.op, edge.src) if two_values else (edge.op, edge.dst, edge.src)
            for edge in genotype.cell(kind)
        ]
        live = genotype.live_nodes(kind)
        whole = live == NODES
        concat = f"range({NODES[0]}, {NODES[-1] + 1})" if whole else str(list(live))
        parts.append(f"{kind}={entries}, {kind}_concat={concat}")
    return f"Genotype({', '.join(parts)})"


def from_darts(text: str) -> Genotype:
    """Read either form. The text is parsed, never evaluated.

    An entry with `none` is left out, which changes nothing where its node has other inputs. All
    intermediate nodes may be listed for concatenation, as the official code does, though those that
    no input reaches are left out here as they are there; else it must be the live nodes.

    Raises:
        GenotypeError: One sentence that names the first fault, or how the cells differ from S1's.
    """
    fields = _fields(text)
    genotype = Genotype.from_dict({kind: _edges(fields[kind], kind) for kind in CELL_KINDS})
    for kind in CELL_KINDS:
        _check_concat(fields[f"{kind}_concat"], kind, genotype)
    return genotype


def _fields(text: str) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own about the text, such as `1is 2`.
            body = ast.parse(text.strip()).body
    except (RecursionError, MemoryError):
        raise GenotypeError(f"{NOT_ONE}: it is nested too deeply.") from None
    except (SyntaxError, ValueError) as error:  # ValueError: a NUL character.
        fault = str(error).splitlines()[0]
        raise GenotypeError(f"{NOT_ONE}: it is not Python ({fault}).") from None
    if len(body) != 1 or not isinstance(body[0], ast.Expr | ast.Assign):
        raise GenotypeError(f"{NOT_ONE}: got {len(body)} statements.")
    call = body[0].value
    if not isinstance(call, ast.Call) or _name(call.func) != "Genotype":
        raise GenotypeError(f"{NOT_ONE}.")
    names = [keyword.arg for keyword in call.keywords]
    if call.args or sorted(map(str, names)) != sorted(FIELDS):
        raise GenotypeError(f"{NOT_ONE}, with each of {', '.join(FIELDS)} once, by its name.")
    return {str(keyword.arg): _value(keyword.value, str(keyword.arg)) for keyword in call.keywords}


def _name(node: ast.expr) -> str | None:
    return node.id if isinstance(node, ast.Name) else None


def _value(node: ast.expr, where: str) -> Any:
    """A literal, or what `range` of two small numbers gives."""
    try:
        if isinstance(node, ast.Call) and _name(node.func) == "range" and not node.keywords:
            start, stop = (ast.literal_eval(argument) for argument in node.args)
            if type(start) is type(stop) is int and 0 <= start <= stop <= 2 * len(NODES):
                return list(range(start, stop))
            raise ValueError
        return ast.literal_eval(node)
    # What literal_eval raises, and what unpacking another number of arguments does.
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise GenotypeError(
            f"{where} must be a list, or range({NODES[0]}, {NODES[-1] + 1}) for concatenation: "
            "anything that would have to be computed is refused."
        ) from None


def _edges(entries: Any, kind: str) -> list[dict[str, object]]:
    if not isinstance(entries, list | tuple) or not all(
        isinstance(entry, list | tuple) for entry in entries
    ):
        raise GenotypeError(
            f"{kind} (={reprlib.repr(entries)}) must be a list of (operation, from) or of "
            "(operation, to, from)."
        )
    lengths = {len(entry) for entry in entries}
    if not lengths <= {2} and not lengths <= {3}:
        raise GenotypeError(
            f"{kind} has entries of {' and '.join(map(str, sorted(lengths)))} values: all must be "
            "(operation, from), as in DARTS, or all (operation, to, from), as in Fair DARTS."
        )
    if lengths == {2}:
        edges = _paired(entries, kind)
    else:
        edges = [{"op": op, "from": src, "to": dst} for op, dst, src in entries]
        if any(isinstance(edge["from"], float) for edge in edges):
            raise GenotypeError(
                f"{kind} has weights as third values: a network of weighted edges cannot be built."
            )
    kept = [edge for edge in edges if edge["op"] != NONE]
    for node in (edge["to"] for edge in edges if edge["op"] == NONE):
        if all(edge["to"] != node for edge in kept):
            raise GenotypeError(
                f"{kind}: node {reprlib.repr(node)} has no operation but {NONE}: DARTS "
                "concatenates its zeros, while here a node without input is left out, which is "
                "another network."
            )
    return kept


def _paired(entries: list[Any] | tuple[Any, ...], kind: str) -> list[dict[str, object]]:
    expected = INPUTS_OF_A_NODE * len(NODES)
    if len(entries) != expected:
        raise GenotypeError(
            f"{kind} has {len(entries)} entries of two values, where a cell of S1 has {expected}: "
            f"{INPUTS_OF_A_NODE} inputs for each of its {len(NODES)} nodes. Cells of another shape "
            "(those of NASNet, AmoebaNet and ENAS have 5 nodes) cannot be built."
        )
    return [
        {"op": op, "from": src, "to": NODES[index // INPUTS_OF_A_NODE]}
        for index, (op, src) in enumerate(entries)
    ]


def _check_concat(concat: object, kind: str, genotype: Genotype) -> None:
    live = genotype.live_nodes(kind)
    nodes = list(concat) if isinstance(concat, list | tuple) else None
    if nodes not in (list(NODES), list(live)):
        raise GenotypeError(
            f"{kind}_concat (={reprlib.repr(concat)}) must be {list(NODES)} or the nodes that an "
            f"input reaches, {list(live)}: cells of S1 concatenate all of these, in order."
        )
