"""The images of a stage: whether they are those that it was planned with."""

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
    """The settings of a stage's images, which are still those that it was planned with.

    Args:
        stage: One that sees images.
        store: Keeps the digests of images for all nodes.
        attempt: Where reading them, which a node may have to do, is logged.
    Raises:
        WrongImages: If they are not, or not there.
    """

    def identify(data: DataConfig, split: Split) -> str:
        return fingerprint(
            data, split, shared=store.digests_dir, on_progress=_logged(attempt, data.source)
        )

    return check_images(stage.config["data"], identify)


def cause(stage: StageSpec, store: Store, attempt: Attempt, error: Exception) -> Exception:
    """What to blame for an error: images that changed beneath the stage, or the error itself."""
    if isinstance(error, DataError) and "data" in stage.config:
        try:
            checked_images(stage, store, attempt)
        except WrongImages as changed:
            changed.__cause__ = error
            return changed
    return error


def check_streamed(stage: StageSpec, store: Store, attempt: Attempt, images: Images) -> None:
    """Make sure that images read from their files all along were the same all along.

    Raises:
        WrongImages: If they are no longer those that the stage was planned with.
    """
    if isinstance(images, StoredImages):
        checked_images(stage, store, attempt)


class DamagedImages:
    """Names each image that a stage leaves out, once, in the log of its attempt."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._named: set[str] = set()

    def __call__(self, sentence: str) -> None:
        """Take note of the image that the sentence names."""
        if sentence not in self._named:
            self._named.add(sentence)
            self._attempt.log(f"left out: {sentence}")

    def __len__(self) -> int:
        return len(self._named)

    def noted_of(self, images: Images) -> Images:
        """The same images, of which those that are left out are noted here."""
        return replace(images, on_damaged=self) if isinstance(images, StoredImages) else images


def _logged(attempt: Attempt, source: str) -> Progress:
    next_s = time.monotonic() + LOG_EVERY_S

    def log(done: int, total: int) -> None:
        nonlocal next_s
        if time.monotonic() > next_s:
            next_s = time.monotonic() + LOG_EVERY_S
            attempt.log(f"{source}: {done / 1e9:.1f} of {total / 1e9:.1f} GB read to identify it")

    return log
