"""The names of positions that `results` derives are those of the search spaces."""

import pytest

from fairdarts.spaces import CELL_KINDS, SPACES, CellSpace
from results.query.positions import positions, positions_table, space_of


@pytest.mark.parametrize("name", SPACES)
def test_the_names_are_those_of_the_search_space(name: str) -> None:
    space = SPACES[name]
    if isinstance(space, CellSpace):
        expected = [
            (cell, edge, source, destination, operation)
            for cell in CELL_KINDS
            for edge, (source, destination) in enumerate(space.edges)
            for operation in space.operations
        ]
        assert _names(positions(name)) == expected
        return
    for depth in space.depths:
        expected_layers = [
            ("layers", layer, None, None, choice)
            for layer, choices in enumerate(space.choices(depth))
            for choice in choices
        ]
        assert _names(positions(name, depth)) == expected_layers


def test_positions_are_numbered_from_zero_as_in_the_lists() -> None:
    assert [place.position for place in positions("s1")] == list(range(196))
    assert len(positions("s2", 19)) == 133


def test_a_space_or_depth_that_is_not_known_has_no_names() -> None:
    assert positions("mine") == positions("s2", 4) == positions("s2") == []


def test_the_space_is_read_from_the_settings_of_the_search() -> None:
    search = {"kind": "search", "config": {"search": {"space": "s2", "num_layers": 11}}}
    assert space_of([search, {"kind": "derive", "config": {}}]) == ("s2", 11)
    search["config"] = {"search": {"space": "s1", "num_layers": 19}}
    assert space_of([search]) == ("s1", None)
    assert space_of([{"kind": "sample", "config": {"space": "s1"}}]) is None


def test_the_table_tells_spaces_apart_by_number() -> None:
    table = positions_table([("s1", None), ("s2", 6)])
    assert table["layout"].to_pylist() == [0] * 196 + [1] * len(positions("s2", 6))
    assert table.schema == positions_table([]).schema


def _names(places: list) -> list:
    return [
        (place.cell, place.edge, place.source, place.destination, place.operation)
        for place in places
    ]
