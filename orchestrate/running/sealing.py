"""Seals finished stages: on command, and by itself while a sweep runs."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from orchestrate.stages.paths import StagePaths
from orchestrate.stages.state import done_of
from orchestrate.statuses import Outcome
from results.errors import ResultsError
from results.store.layout import STAGE_KINDS
from results.store.manifest import SealedStage
from results.store.seal import seal
from results.store.store import Store

MANY = 100
"""So many stages with live files make a running sweep seal those that are done."""
LOOK_S = 10.0


def seal_finished(store: Store) -> int:
    """Seal every stage of a store that is done.

    Returns:
        How many stages were sealed.
    Raises:
        DamagedFile: If a sealed file is damaged.
        OSError: If the store cannot be written.
    """
    keys = store.live_attempts()
    found = ((key, _finished(store, key)) for key in keys)
    return seal(store, {key: stage for key, stage in found if stage is not None})


@contextlib.contextmanager
def sealing(store: Store, say: Callable[[str], None]) -> Iterator[None]:
    """Seal from time to time while the block runs, in a thread that nobody waits for.

    Args:
        store: What to seal.
        say: Takes a sentence for the user if that is not possible.
    """
    stop = threading.Event()

    def watch() -> None:
        left = 0  # Stages that stay live, because they have failed, for example.
        try:
            while not stop.wait(LOOK_S):
                if len(store.live_attempts()) >= left + MANY:
                    seal_finished(store)
                    left = len(store.live_attempts())
        except (OSError, ResultsError) as error:
            say(f"warning: finished results stay in small files, as sealing failed: {error}")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _finished(store: Store, key: str) -> SealedStage | None:
    """What there is to seal of a stage; None if it is not done."""
    for kind in STAGE_KINDS:
        paths = StagePaths(store.stage_dir(kind, key))
        done = done_of(paths)
        # An attempt after the one that finished it would be a sign that something is wrong.
        if done is not None and max(paths.attempt_numbers(), default=0) == done.attempt:
            return SealedStage(
                kind, done.attempt, done.reason if done.outcome == Outcome.INVALID else None
            )
    return None
