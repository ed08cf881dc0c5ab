import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairdarts.data.images import ImageSet, class_turns, first_per_class, halves, held_out
from fairdarts.errors import DataError


def image_set(labels: list[int], /, **changes: object) -> ImageSet:
    images = torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 4, 4)
    fields: dict[str, object] = {
        "images": images.contiguous(),
        "labels": torch.tensor(labels),
        "class_names": ("a", "b", "c"),
        "mean": (0.5, 0.5, 0.5),
        "std": (0.25, 0.25, 0.25),
        "mirror": True,
    }
    return ImageSet(**(fields | changes))  # type: ignore[arg-type]


def test_sizes_come_from_the_tensors_and_the_names() -> None:
    data = image_set([0, 1, 0])
    assert (len(data), data.num_classes, data.image_size) == (3, 3, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": torch.zeros(3, 3, 4, 4)}, "must be uint8"),
        ({"images": torch.zeros(3, 1, 4, 4, dtype=torch.uint8)}, r"shape \(N, 3, H, W\)"),
        ({"images": torch.zeros(3, 3, 4, 5, dtype=torch.uint8)}, "4 x 5 pixels"),
        ({"labels": torch.zeros(2, dtype=torch.int64)}, r"shape \(3,\)"),
        ({"labels": torch.zeros(3)}, "must be int64"),
        ({"labels": torch.tensor([0, 1, 3])}, r"0\.\.3, but must lie in 0\.\.2"),
        ({"labels": torch.tensor([0, -1, 2])}, r"-1\.\.2"),
        ({"std": (0.1, 0.0, 0.1)}, "constant"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        image_set([0, 1, 2], **changes)


def test_a_set_without_images_is_refused() -> None:
    empty = torch.zeros(0, 3, 4, 4, dtype=torch.uint8)
    with pytest.raises(DataError, match="at least one"):
        image_set([], images=empty, labels=torch.zeros(0, dtype=torch.int64))


def test_halves_split_by_index_and_share_memory() -> None:
    data = image_set([0, 1, 2, 0, 1])
    weights, alphas = halves(data)
    assert weights.images[:, 0, 0, 0].tolist() == [0, 1]
    assert alphas.images[:, 0, 0, 0].tolist() == [2, 3, 4]
    assert alphas.labels.tolist() == [2, 0, 1]
    assert weights.images.data_ptr() == data.images.data_ptr()


def test_first_per_class_takes_the_earliest_of_each_class_in_index_order() -> None:
    labels = torch.tensor([1, 1, 1, 0, 0, 2, 0, 2])
    assert first_per_class(labels, 6).tolist() == [0, 1, 3, 4, 5, 7]


def test_first_per_class_fills_up_from_larger_classes() -> None:
    labels = torch.tensor([0, 1, 1, 1, 1])
    assert first_per_class(labels, 4).tolist() == [0, 1, 2, 3]


def test_first_per_class_refuses_more_than_there_are() -> None:
    with pytest.raises(DataError, match="5 images are asked for, but there are 3"):
        first_per_class(torch.tensor([0, 1, 2]), 5)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.data())
def test_chosen_class_sizes_differ_by_one_at_most_unless_a_class_runs_out(
    labels: list[int], data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, len(labels)))
    chosen = [labels[i] for i in first_per_class(torch.tensor(labels), count).tolist()]
    largest = max(chosen.count(label) for label in labels)
    for label in set(labels):
        exhausted = chosen.count(label) == labels.count(label)
        assert exhausted or chosen.count(label) >= largest - 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_class_turns_is_a_permutation(labels: list[int]) -> None:
    assert sorted(class_turns(torch.tensor(labels)).tolist()) == list(range(len(labels)))


def test_held_out_images_are_spread_over_the_classes_and_the_rest_keeps_its_order() -> None:
    rest, validation = held_out(image_set([0, 0, 1, 0, 2, 1, 2, 0]), 3)
    assert validation.images[:, 0, 0, 0].tolist() == [0, 2, 4]
    assert validation.labels.tolist() == [0, 1, 2]
    assert rest.images[:, 0, 0, 0].tolist() == [1, 3, 5, 6, 7]


def test_holding_out_nearly_all_images_is_refused() -> None:
    with pytest.raises(DataError, match=r"num_validation \(=3\) leaves fewer than 2 of 4 images"):
        held_out(image_set([0, 1, 2, 0]), 3)
