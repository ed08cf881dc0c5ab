"""Ids may be shortened and written in capitals; what they name is found in the store."""

import pytest

from results.errors import StoreError
from results.query.ids import find_id, known_ids, looks_like_id
from results.store.store import Store


def test_first_digits_in_any_case_find_the_one_id(example: Store) -> None:
    ids = known_ids(example)
    for id_ in ids:
        digits = next(n for n in range(1, 17) if sum(i.startswith(id_[:n]) for i in ids) == 1)
        assert find_id(example, id_[:digits]) == id_
        assert find_id(example, f" {id_.upper()} ") == id_


def test_every_column_of_ids_is_known_by_what_it_names(example: Store) -> None:
    (row, *_) = example.read("trials").to_pylist()
    ids = known_ids(example)
    assert ids[row["trial_id"]] == ["trial", "retrain stage"]
    assert ids[row["group_id"]] == ["group"]
    assert ids[row["derive_key"] or row["sample_key"]][0].endswith("stage")


def test_a_beginning_of_several_ids_names_them(example: Store) -> None:
    first_digits = [id_[0] for id_ in known_ids(example)]
    digit = max(first_digits, key=first_digits.count)
    with pytest.raises(StoreError, match=rf"ids begin with {digit}: give more .* {digit}\w+ \("):
        find_id(example, digit)


@pytest.mark.parametrize("text", ["2ab", "f" * 16])
def test_an_unknown_id_says_where_ids_come_from(example: Store, text: str) -> None:
    assert not any(id_.startswith(text) for id_ in known_ids(example))
    with pytest.raises(StoreError, match=f"begins with {text}: .*fairdarts sweep plan"):
        find_id(example, text)


@pytest.mark.parametrize("text", ["", "xyz", "0" * 17, "../ab", "a b"])
def test_what_cannot_be_an_id_is_refused_with_the_form(example: Store, text: str) -> None:
    assert not looks_like_id(text)
    with pytest.raises(StoreError, match="is not an id: an id has 16"):
        find_id(example, text)


def test_a_stage_without_a_trial_is_found_by_its_folder(store: Store) -> None:
    store.stage_dir("search", "ab" * 8).mkdir(parents=True)
    assert known_ids(store, "ab") == {"ab" * 8: ["search stage"]}
    assert find_id(store, "AB") == "ab" * 8
