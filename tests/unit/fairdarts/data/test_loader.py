import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jpeg_files import write_folder, write_parquet
from torch import Tensor
from torchvision import transforms
from torchvision.datasets import ImageFolder

from fairdarts.config import DataConfig, SearchConfig
from fairdarts.data.augment import Augmentation
from fairdarts.data.delivery import Stream, open_stream, ordered_batches
from fairdarts.data.images import StoredImages
from fairdarts.data.sources import load, load_train
from fairdarts.data.stream import Batch
from fairdarts.errors import ConfigError, DataError
from fairdarts.search.loop import SearchEpoch, search
from fairdarts.search.state import SearchState

CPU = torch.device("cpu")
SIZE = 16
NUM_IMAGES = 11
EVERYTHING = Augmentation(color_jitter=(0.4, 0.4, 0.4, 0.2), auto_augment=True, cutout=4)


def config_of(source: str, **settings: Any) -> DataConfig:
    return DataConfig(source=source, augmentation="resized_crop", image_size=SIZE, **settings)


@pytest.fixture(params=["folder", "parquet"])
def images(request: pytest.FixtureRequest, tmp_path: Path) -> StoredImages:
    """Images whose label is their index, by either kind of source."""
    if request.param == "folder":
        write_folder(tmp_path, {f"{number:02}": 1 for number in range(NUM_IMAGES)})
    else:
        write_parquet(tmp_path, list(range(NUM_IMAGES)), row_group_size=3)
    train = load_train(config_of(f"{request.param}:{tmp_path}"))
    assert isinstance(train, StoredImages)
    return train


@contextmanager
def opened(
    images: StoredImages,
    seed: int = 0,
    name: str = "weights",
    augmentation: Augmentation = EVERYTHING,
    channels_last: bool = False,
    workers: int = 0,
) -> Iterator[Stream]:
    with open_stream(
        images,
        batch_size=4,
        seed=seed,
        name=name,
        augmentation=augmentation,
        channels_last=channels_last,
        device=CPU,
        workers=workers,
    ) as stream:
        yield stream


def batches(images: StoredImages, steps: list[int], **how: Any) -> list[Batch]:
    with opened(images, **how) as stream:
        return [stream.batch(step) for step in steps]


def labels(images: StoredImages, steps: list[int], **how: Any) -> list[int]:
    return [label for _, batch in batches(images, steps, **how) for label in batch.tolist()]


def assert_equal(found: list[Batch], expected: list[Batch]) -> None:
    for pair, wanted in zip(found, expected, strict=True):
        assert torch.equal(pair[0], wanted[0])
        assert torch.equal(pair[1], wanted[1])


def test_the_number_of_workers_changes_no_batch(images: StoredImages) -> None:
    expected = batches(images, list(range(8)))  # Almost three passes of three batches.
    assert_equal(batches(images, list(range(8)), workers=2), expected)


def test_a_batch_is_a_function_of_its_number(images: StoredImages) -> None:
    expected = batches(images, list(range(8)))
    assert_equal(batches(images, [4, 5, 6, 7]), expected[4:])
    assert_equal(batches(images, [5, 0, 1, 6]), [expected[step] for step in (5, 0, 1, 6)])


def test_workers_are_told_where_to_go_on(images: StoredImages) -> None:
    expected = batches(images, [5, 6, 1, 2])
    assert_equal(batches(images, [5, 6, 1, 2], workers=1), expected)


def test_a_pass_holds_every_image_once_in_an_order_of_its_own(images: StoredImages) -> None:
    first, second = labels(images, [0, 1, 2]), labels(images, [3, 4, 5])
    assert sorted(first) == sorted(second) == list(range(NUM_IMAGES))
    assert first != second
    assert labels(images, [0, 1, 2], seed=1) != first
    assert labels(images, [0, 1, 2], name="alphas") != first


def test_an_image_is_augmented_anew_in_each_pass(images: StoredImages) -> None:
    pair = images.subset(slice(2))
    views = {
        image.numpy().tobytes() for batch, _ in batches(pair, list(range(6))) for image in batch
    }
    assert len(views) == 12


def test_how_an_image_is_augmented_does_not_depend_on_its_company(images: StoredImages) -> None:
    def view(found: list[Batch], label: int) -> Tensor:
        return next(image[of == label][0] for image, of in found if label in of)

    among_all = batches(images, [0, 1, 2])
    among_few = batches(images.subset(torch.tensor([1, 4, 7])), [0])
    assert torch.equal(view(among_few, 4), view(among_all, 4))


def test_the_random_numbers_of_the_process_stay_its_own(images: StoredImages) -> None:
    before = torch.get_rng_state()
    batches(images, [0, 1])
    list(ordered_batches(images, 4, channels_last=False, device=CPU))
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_have_the_memory_format_asked_for(images: StoredImages) -> None:
    ((rows, _),) = batches(images, [0])
    ((last, _),) = batches(images, [0], channels_last=True)
    assert rows.shape == (4, 3, SIZE, SIZE) and rows.is_contiguous()
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(rows, last)


def test_a_tail_of_one_image_is_dropped_and_a_single_image_refused(images: StoredImages) -> None:
    with opened(images.subset(slice(9))) as stream:
        assert len(stream) == 2
    with pytest.raises(DataError, match="2 images or more"), opened(images.subset(slice(1))):
        pass


def test_each_kind_of_augmentation_leaves_its_mark(images: StoredImages) -> None:
    def views(augmentation: Augmentation) -> Tensor:
        return torch.cat(
            [batch for batch, _ in batches(images, [0, 1, 2], augmentation=augmentation)]
        )

    plain = Augmentation(mirror=False)
    for change in (
        {"mirror": True},
        {"color_jitter": (0.4, 0.4, 0.4, 0.2)},
        {"auto_augment": True},
        {"cutout": 4},
    ):
        assert not torch.equal(views(replace(plain, **change)), views(plain)), change


def test_cutout_leaves_a_square_of_the_mean_colour(images: StoredImages) -> None:
    erased = torch.cat(
        [batch for batch, _ in batches(images, [0, 1, 2], augmentation=Augmentation(cutout=4))]
    )
    # Half a grey level of 255 by a standard deviation of 0.22.
    sizes = (erased.abs() < 0.5 / 255 / 0.22).all(1).flatten(1).sum(1)
    assert int(sizes.max()) >= 16
    assert int(sizes.min()) >= 4


def test_evaluation_is_that_of_a_plain_torchvision_pipeline(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 4, "bee": 5})
    _, test = load(config_of(f"folder:{tmp_path}"))
    pipeline = transforms.Compose(
        [
            transforms.Resize(round(SIZE / 0.875)),
            transforms.CenterCrop(SIZE),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    plain = ImageFolder(str(tmp_path / "test"), pipeline)
    for workers in (0, 1):
        found = list(ordered_batches(test, 4, channels_last=True, device=CPU, workers=workers))
        assert [len(of) for _, of in found] == [4, 4, 1]
        assert torch.cat([of for _, of in found]).tolist() == plain.targets
        torch.testing.assert_close(
            torch.cat([batch for batch, _ in found]),
            torch.stack([image for image, _ in plain]),
            rtol=0,
            atol=1e-6,
        )


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_can_be_left_out_and_is_named_once(
    tmp_path: Path, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    write_folder(tmp_path, {f"{number:02}": 1 for number in range(NUM_IMAGES)})
    damaged = tmp_path / "train" / "05" / "005.JPEG"
    damaged.write_bytes(damaged.read_bytes()[:100])
    images = load_train(config_of(f"folder:{tmp_path}", damaged="skip"))
    assert isinstance(images, StoredImages)
    with opened(images, workers=workers) as stream:
        for _ in range(2):
            labels = [label for step in range(3) for label in stream.batch(step)[1].tolist()]
            assert sorted(labels) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    (record,) = caplog.records
    assert str(damaged) in record.getMessage()


def damaged_but(tmp_path: Path, whole: list[int], split: str = "train") -> StoredImages:
    """Five images to train or test on, of which only some can be decoded."""
    write_folder(tmp_path, {f"{number:02}": 1 for number in range(5)})
    for number in set(range(5)) - {*whole}:
        (tmp_path / split / f"{number:02}" / f"{number:03}.JPEG").write_bytes(b"damaged")
    images = load(config_of(f"folder:{tmp_path}", damaged="skip"))[split == "test"]
    assert isinstance(images, StoredImages)
    return images


def test_whoever_asks_is_told_of_every_image_that_is_left_out(tmp_path: Path) -> None:
    told: list[str] = []
    images = replace(damaged_but(tmp_path, [0, 1, 3]), on_damaged=told.append)
    batches(images.subset(slice(0, 4)), [0, 1])
    assert [Path(sentence.split()[0]).name for sentence in told] == ["002.JPEG"] * 2


def test_a_batch_keeps_two_images_to_train_on(tmp_path: Path) -> None:
    images = damaged_but(tmp_path, [1])
    ((pixels, of),) = batches(images.subset(slice(0, 2)), [0])  # A tail of two, one damaged.
    assert of.tolist() == [1, 1] and len(pixels) == 2
    with pytest.raises(DataError, match=r"none of the 2 images of a batch .*00\d\.JPEG is"):
        batches(images.subset(slice(2, 4)), [0])


def test_a_batch_of_damaged_images_is_passed_over_in_evaluation(tmp_path: Path) -> None:
    images = damaged_but(tmp_path, [0, 2], split="test")
    found = ordered_batches(images, 2, channels_last=True, device=CPU)
    assert [of.tolist() for _, of in found] == [[0], [2]]  # The last one, of number 4, is gone.
    rest = images.subset(torch.tensor([1, 3, 4]))
    with pytest.raises(DataError, match="none of the 3 images of a split can be decoded"):
        list(ordered_batches(rest, 2, channels_last=True, device=CPU))


def test_leaving_out_damaged_images_of_a_set_in_memory_is_refused() -> None:
    with pytest.raises(ConfigError, match="damaged = skip needs augmentation = resized_crop"):
        DataConfig.build({"source": "digits", "damaged": "skip"})


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named_in_one_sentence(tmp_path: Path, workers: int) -> None:
    write_folder(tmp_path, {"ant": 4, "bee": 4})
    damaged = tmp_path / "train" / "bee" / "005.JPEG"
    damaged.write_bytes(damaged.read_bytes()[:100])
    images = load_train(config_of(f"folder:{tmp_path}"))
    with pytest.raises(DataError) as caught:
        batches(images, [0, 1], workers=workers)
    assert re.fullmatch(
        rf"{re.escape(str(damaged))} is not a readable image \(.*[Tt]runcated.*\): replace it or "
        r"leave it out\.",
        str(caught.value),
    )
    damaged.unlink()
    with pytest.raises(DataError) as caught:
        batches(images, [0, 1], workers=workers)
    assert str(caught.value) == f"{damaged} cannot be read: No such file or directory."


def test_a_row_that_is_no_image_is_named(tmp_path: Path) -> None:
    write_parquet(tmp_path, [0, 1, 0, 1], row_group_size=2)
    images = load_train(config_of(f"parquet:{tmp_path}"))
    (tmp_path / "train.parquet").write_bytes(b"gone")
    with pytest.raises(DataError, match=r"train\.parquet is not a readable Parquet file"):
        batches(images, [0])


def test_workers_end_with_the_stream_also_after_a_fault(images: StoredImages) -> None:
    before = multiprocessing.active_children()
    with opened(images, workers=1) as stream:
        stream.batch(0)
        assert len(multiprocessing.active_children()) == len(before) + 1
    assert multiprocessing.active_children() == before
    with pytest.raises(KeyboardInterrupt), opened(images, workers=1) as stream:
        stream.batch(0)
        raise KeyboardInterrupt
    assert multiprocessing.active_children() == before


def test_images_in_memory_have_no_colour_augmentation() -> None:
    images = load_train(DataConfig(num_train=10, image_size=8))
    with pytest.raises(ConfigError, match=r"need data\.augmentation = resized_crop"):
        batches(images, [0])


def test_a_resumed_search_over_files_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    write_folder(tmp_path, {"ant": 7, "bee": 6})
    images = load_train(config_of(f"folder:{tmp_path}"))
    config = SearchConfig(init_channels=2, num_cells=3, epochs=3, batch_size=3)

    def run(checkpoint: bytes | None = None) -> tuple[list[SearchEpoch], list[bytes]]:
        epochs: list[SearchEpoch] = []
        saved: list[bytes] = []

        def on_epoch(epoch: SearchEpoch, state: SearchState) -> None:
            epochs.append(replace(epoch, wall_s=0))
            saved.append(state.to_bytes())

        search(config, images, device=CPU, on_epoch=on_epoch, checkpoint=checkpoint)
        return epochs, saved

    epochs, saved = run()
    assert run(saved[0]) == (epochs[1:], saved[1:])
