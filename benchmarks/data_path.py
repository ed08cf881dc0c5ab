"""Time to deliver augmented training batches, the usual ways and ours.

python -m benchmarks.data_path [--batch-size 128] [--rounds 5]

All on the CPU and one thread, from images of CIFAR-10's shape that are already in memory.
"""

import argparse
import resource
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.timing import Timings, interleaved, ratio, table
from fairdarts.data.augment import Augmentation
from fairdarts.data.images import ImageSet
from fairdarts.data.sources import PUBLISHED_STATISTICS
from fairdarts.data.stream import Batch, BatchStream

NUM_IMAGES = 5000
IMAGE_SIZE = 32
NUM_CLASSES = 10
NUM_WORKERS = 2
BATCHES_A_ROUND = 10

PIL = "PIL + torchvision"
REBUILT = "loader rebuilt each step"
OURS = "fairdarts"


def main() -> None:
    """Print one table without and one with cutout; ratios are to the first row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    data = noise()
    print(
        f"{NUM_IMAGES} images, {IMAGE_SIZE} x {IMAGE_SIZE}, batches of {options.batch_size}, "
        f"1 CPU thread, {NUM_WORKERS} loader workers, torch {torch.__version__}"
    )
    for title, how in (
        ("Crop, mirror, normalise", Augmentation()),
        ("Crop, mirror, normalise, cutout 16", Augmentation(cutout=16)),
    ):
        before = _children_cpu_s()
        timings = interleaved(
            deliveries(data, how, options.batch_size), options.rounds, torch.device("cpu")
        )
        # Only the loader's workers are children, and each round, the warm-up too, ends theirs.
        workers_s = (_children_cpu_s() - before) / (options.rounds + 1)
        timings[REBUILT].cpu_s = [own_s + workers_s for own_s in timings[REBUILT].cpu_s]
        print(f"\n{title}\n{report(timings, options.batch_size)}")


def report(timings: dict[str, Timings], batch_size: int) -> str:
    """The table; ratios are the time of PIL + torchvision by the delivery's."""
    rows: list[tuple[str, ...]] = [
        ("delivery", "CPU us/image", "wall us/image", "images/s", "CPU ratio", "wall ratio")
    ]
    base, num_images = timings[PIL], batch_size * BATCHES_A_ROUND
    for name, timing in timings.items():
        wall_s = statistics.median(timing.wall_s)
        rows.append(
            (
                name,
                f"{1e6 * statistics.median(timing.cpu_s) / num_images:.1f}",
                f"{1e6 * wall_s / num_images:.1f}",
                f"{num_images / wall_s:,.0f}",
                ratio(base.cpu_s, timing.cpu_s),
                ratio(base.wall_s, timing.wall_s),
            )
        )
    return table(rows)


def noise() -> ImageSet:
    """Random images of CIFAR-10's shape, normalised with its statistics."""
    chance = torch.Generator().manual_seed(0)
    shape = (NUM_IMAGES, 3, IMAGE_SIZE, IMAGE_SIZE)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=chance)
    labels = torch.randint(NUM_CLASSES, (NUM_IMAGES,), generator=chance)
    mean, std = PUBLISHED_STATISTICS["cifar10"]
    return ImageSet(images, labels, tuple(map(str, range(NUM_CLASSES))), mean, std, mirror=True)


def deliveries(
    data: ImageSet, how: Augmentation, batch_size: int
) -> dict[str, Callable[[], object]]:
    """The ways, by name, each to deliver the batches of one round."""
    images = PilImages(data, how)
    loader = DataLoader(images, batch_size, shuffle=True, drop_last=True)
    forked = DataLoader(images, batch_size, shuffle=True, num_workers=NUM_WORKERS)
    stream = BatchStream(data, batch_size, 0, "train", how, channels_last=True)
    in_this_process, steps = _endless(loader), iter(range(1 << 62))
    return {
        PIL: lambda: _repeat(lambda: next(in_this_process)),
        # `next(iter(valid_queue))` in `train_search.py` of DARTS and of Fair DARTS.
        REBUILT: lambda: _repeat(lambda: next(iter(forked))),
        OURS: lambda: _repeat(lambda: stream.batch(next(steps))),
    }


class PilImages(Dataset[tuple[Tensor, int]]):
    """Images augmented one at a time, as the authors' code does."""

    def __init__(self, data: ImageSet, how: Augmentation) -> None:
        self._pixels = np.ascontiguousarray(data.images.permute(0, 2, 3, 1).numpy())
        self._labels = data.labels.tolist()
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(data.image_size, padding=how.crop_padding),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(data.mean, data.std),
                *([Cutout(how.cutout)] if how.cutout else []),
            ]
        )

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(Image.fromarray(self._pixels[index])), self._labels[index]


@dataclass(frozen=True)
class Cutout:
    """Erase a square around a random pixel, clipped at the border."""

    side: int

    def __call__(self, image: Tensor) -> Tensor:
        """Write zeros into an image (3, H, W), H = W."""
        top, left = (torch.randint(image.shape[-1], (2,)) - self.side // 2).tolist()
        image[:, max(top, 0) : top + self.side, max(left, 0) : left + self.side] = 0
        return image


def _endless(loader: DataLoader[tuple[Tensor, int]]) -> Iterator[Batch]:
    while True:
        yield from loader


def _repeat(deliver: Callable[[], object]) -> None:
    for _ in range(BATCHES_A_ROUND):
        deliver()


def _children_cpu_s() -> float:
    """CPU seconds of the child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
