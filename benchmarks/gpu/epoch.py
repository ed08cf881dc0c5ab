"""Real epochs of a search on CIFAR-10, data and all."""

import importlib.util
import time

import torch

from benchmarks.gpu.measure import forget, peak_gib
from benchmarks.gpu.readings import Reading, Report, Setup, Skipped
from benchmarks.search_speed import config_of

NUM_EPOCHS = 2
"""In the first one libraries also choose kernels."""


def measure(setup: Setup, report: Report) -> None:
    """Report each epoch as soon as it ends."""
    if setup.data is None:
        raise Skipped("no images were given: --data FOLDER of CIFAR-10 as Parquet")
    if importlib.util.find_spec("pyarrow") is None:
        raise Skipped("pyarrow is missing: pip install pyarrow")
    from fairdarts.config import DataConfig
    from fairdarts.data.sources import load_train
    from fairdarts.search.loop import SearchEpoch, search

    device, started = torch.device(setup.device), time.monotonic()
    images = load_train(
        DataConfig(source=f"parquet:{setup.data}", num_train=setup.sizes.num_images)
    )
    loaded_s = time.monotonic() - started
    report(Reading(f"loading {len(images):,} images", loaded_s, "s"))
    config = config_of(
        setup.sizes.batch_size,
        cuda_graph=True,
        epochs=NUM_EPOCHS,
        **setup.sizes.search,
    )

    def on_epoch(epoch: SearchEpoch, _: object) -> None:
        rate = epoch.num_images / epoch.wall_s
        note = f"{rate:,.0f} images/s, 50 of them {50 * epoch.wall_s / 60:.1f} min"
        what = f"epoch {epoch.epoch + 1} of a search, float32, batch {config.batch_size}"
        report(Reading(what, epoch.wall_s, "s", note, peak_gib=peak_gib(device)))

    forget(device)
    search(config, images, device=device, on_epoch=on_epoch)
