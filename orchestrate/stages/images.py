"""Checks that the images of a stage are still those that it was planned with."""

import time
from dataclasses import replace

from fairdarts.config import DataConfig
from fairdarts.data.digests import Progress
from fairdarts.data.files import Split
from fairdarts.data.fingerprint import fingerprint
from fairdarts.data.images import Images, StoredImages
from fairdarts.errors import DataError
from orchestrate.errors import WrongImages
from orchestrate.planning.images import check_images
from orchestrate.planning.plan import StageSpec
from orchestrate.stages.lease import Attempt
from results.store.store import Store

LOG_EVERY_S = 60.0


def checked_images(stage: StageSpec, store: Store, attempt: Attempt) -> DataConfig:
    """Check a stage's images, and return their settings.

    Args:
        stage: A stage that uses images.
        store: Keeps the digests of images for all nodes.
        attempt: Logs the progress, as a node may have to read all images.
    Raises:
        WrongImages: If images are missing, or are not those that the stage was planned with.
    """

    def identify(data: DataConfig, split: Split) -> str:
        return fingerprint(
            data, split, shared=store.digests_dir, on_progress=_logged(attempt, data.source)
        )

    return check_images(stage.config["data"], identify)


def cause(stage: StageSpec, store: Store, attempt: Attempt, error: Exception) -> Exception:
    """The cause of an error: `WrongImages` if images changed while the stage ran, else itself.

    Changed images may show as any `DataError`, such as a file that cannot be decoded. Such an
    attempt is not counted as failed (see `NO_ATTEMPT`).
    """
    if isinstance(error, DataError) and "data" in stage.config:
        try:
            checked_images(stage, store, attempt)
        except WrongImages as changed:
            changed.__cause__ = error
            return changed
    return error


def check_streamed(stage: StageSpec, store: Store, attempt: Attempt, images: Images) -> None:
    """Check the images again after the training, if it read them from their files.

    Images in memory were read once, right after the first check.

    Raises:
        WrongImages: If images have changed since the stage was planned.
    """
    if isinstance(images, StoredImages):
        checked_images(stage, store, attempt)


class DamagedImages:
    """Counts the images that a stage leaves out, and logs each of them once."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._named: set[str] = set()

    def __call__(self, sentence: str) -> None:
        """Note the damaged image that the sentence names."""
        if sentence not in self._named:
            self._named.add(sentence)
            self._attempt.log(f"left out: {sentence}")

    def __len__(self) -> int:
        return len(self._named)

    def noted_of(self, images: Images) -> Images:
        """The same images, with their damaged ones noted here while they are read."""
        return replace(images, on_damaged=self) if isinstance(images, StoredImages) else images


def _logged(attempt: Attempt, source: str) -> Progress:
    """A callback that logs the progress of reading images, at most once a minute."""
    next_s = time.monotonic() + LOG_EVERY_S

    def log(done: int, total: int) -> None:
        nonlocal next_s
        if time.monotonic() > next_s:
            next_s = time.monotonic() + LOG_EVERY_S
            attempt.log(f"{source}: {done / 1e9:.1f} of {total / 1e9:.1f} GB read to identify it")

    return log
