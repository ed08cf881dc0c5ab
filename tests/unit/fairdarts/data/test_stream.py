import pytest
import torch

from fairdarts.data.augment import Augmentation, normalise
from fairdarts.data.images import ImageSet
from fairdarts.data.stream import BatchStream, evaluation_batches
from fairdarts.errors import DataError

NOTHING = Augmentation(crop_padding=0, mirror=False)


def numbered(count: int) -> ImageSet:
    """Images whose label is their index."""
    images = torch.randint(
        256, (count, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    names = tuple(map(str, range(count)))
    return ImageSet(images, torch.arange(count), names, (0.5,) * 3, (0.2,) * 3, mirror=True)


def stream(
    count: int,
    batch_size: int,
    seed: int = 0,
    name: str = "weights",
    augmentation: Augmentation = NOTHING,
    channels_last: bool = False,
) -> BatchStream:
    return BatchStream(numbered(count), batch_size, seed, name, augmentation, channels_last)


def labels_of_pass(batches: BatchStream, number: int) -> list[int]:
    steps = range(number * len(batches), (number + 1) * len(batches))
    return [label for step in steps for label in batches.batch(step)[1].tolist()]


def test_a_pass_holds_every_image_once() -> None:
    batches = stream(10, 4)
    assert len(batches) == 3
    assert sorted(labels_of_pass(batches, 0)) == list(range(10))
    assert sorted(labels_of_pass(batches, 5)) == list(range(10))


def test_passes_differ_in_order() -> None:
    batches = stream(10, 4)
    assert labels_of_pass(batches, 0) != labels_of_pass(batches, 1)


@pytest.mark.parametrize(("count", "sizes"), [(9, [4, 4]), (8, [4, 4]), (10, [4, 4, 2]), (3, [3])])
def test_a_tail_of_one_image_is_dropped(count: int, sizes: list[int]) -> None:
    batches = stream(count, 4)
    assert [len(batches.batch(step)[1]) for step in range(len(batches))] == sizes


def test_a_batch_is_a_function_of_its_number() -> None:
    how = Augmentation(cutout=2)
    forwards = stream(10, 4, augmentation=how)
    expected = [forwards.batch(step) for step in range(7)]
    backwards = stream(10, 4, augmentation=how)
    for step in reversed(range(7)):
        images, labels = backwards.batch(step)
        assert torch.equal(images, expected[step][0])
        assert torch.equal(labels, expected[step][1])


def test_seed_and_name_change_the_order() -> None:
    first = labels_of_pass(stream(20, 4), 0)
    assert labels_of_pass(stream(20, 4, seed=1), 0) != first
    assert labels_of_pass(stream(20, 4, name="alphas"), 0) != first


def test_the_same_image_is_augmented_anew_in_each_pass() -> None:
    batches = stream(2, 2, augmentation=Augmentation(cutout=4))
    views = {images.numpy().tobytes() for images, _ in map(batches.batch, range(6))}
    assert len(views) > 1


def test_images_match_their_labels() -> None:
    data = numbered(10)
    images, labels = stream(10, 4).batch(1)
    assert torch.equal(images, normalise(data.images[labels], data.mean, data.std))


def test_memory_format_changes_no_value() -> None:
    rows, _ = stream(6, 3, channels_last=False).batch(0)
    last, _ = stream(6, 3, channels_last=True).batch(0)
    assert torch.equal(rows, last)
    assert rows.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)


def test_a_single_image_is_refused() -> None:
    with pytest.raises(DataError, match="2 images or more"):
        stream(1, 4)


def test_evaluation_takes_every_image_in_order() -> None:
    data = numbered(9)
    batches = list(evaluation_batches(data, 4, channels_last=True))
    assert [len(labels) for _, labels in batches] == [4, 4, 1]
    assert torch.equal(torch.cat([labels for _, labels in batches]), data.labels)
    images = torch.cat([images for images, _ in batches])
    assert torch.equal(images, normalise(data.images, data.mean, data.std))
    assert batches[0][0].is_contiguous(memory_format=torch.channels_last)
