"""Time and memory to deliver training batches of images that stay in their files.

python -m benchmarks.stored_images SOURCE [--size 224] [--workers 0] [--num-batches 20]

SOURCE is imagenet, parquet:DIR or folder:DIR. All on the CPU, one thread a process. The memory is
that of this process, which holds the window of a Parquet file; a decoding process has a batch.
"""

import argparse
import resource
import time

import torch

from fairdarts.config import DataConfig
from fairdarts.data.augment import Augmentation
from fairdarts.data.delivery import open_stream
from fairdarts.data.sources import load_train

BATCH_SIZE = 128
WARM_UP = 2
"""Batches before the clock starts: workers are started and the first window is read."""


def main() -> None:
    """Print one line a kind of augmentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--num-batches", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(1)
    images = load_train(
        DataConfig(source=options.source, augmentation="resized_crop", image_size=options.size)
    )
    print(
        f"{len(images)} images, {options.size} x {options.size}, batches of {BATCH_SIZE}, "
        f"{options.workers} decoding processes, torch {torch.__version__}"
    )
    for title, how in (
        ("crop, mirror", Augmentation()),
        ("crop, mirror, colours", Augmentation(color_jitter=(0.4, 0.4, 0.4, 0.2))),
        ("crop, mirror, AutoAugment", Augmentation(auto_augment=True)),
    ):
        with open_stream(
            images,
            batch_size=BATCH_SIZE,
            seed=0,
            name="train",
            augmentation=how,
            channels_last=True,
            device=torch.device("cpu"),
            workers=options.workers,
        ) as stream:
            for step in range(WARM_UP):
                stream.batch(step)
            started, cpu_started = time.perf_counter(), time.process_time()
            num_images = sum(
                len(stream.batch(WARM_UP + step)[1]) for step in range(options.num_batches)
            )
            wall_s = time.perf_counter() - started
            own_ms = 1e3 * (time.process_time() - cpu_started) / num_images
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        print(
            f"{title:<26} {num_images / wall_s:6.0f} images/s, {own_ms:5.2f} ms CPU an image in "
            f"this process, peak {peak_mib:,.0f} MiB"
        )


if __name__ == "__main__":
    main()
