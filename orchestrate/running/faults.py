"""A fault of a store, as `store_check` finds it, and its repair."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from results.store.layout import LOST_AND_FOUND
from results.store.store import Store

DAMAGED = "is damaged"


@dataclass(frozen=True)
class Fault:
    """A damaged or missing file, and its remedy."""

    path: Path
    what: str
    """What is wrong with the file: the end of a sentence that begins with its name."""
    remedy: str
    """What happens after `repair`."""
    restore: Callable[[], object] | None = None
    """Writes the file again; None if that is not possible or not necessary."""
    sweeps: tuple[str, ...] = ()
    """The sweeps that compute again what is lost."""
    is_lost: bool = False
    """Whether nothing in the store has, or computes again, what was in the file."""

    @property
    def is_repairable(self) -> bool:
        """Whether `repair` changes anything: what is gone and not known elsewhere stays so."""
        return self.restore is not None or self.path.exists()


def lost_rows(path: Path, what: str, sweeps: tuple[str, ...]) -> Fault:
    """A fault after which a stage counts as done no more.

    Args:
        path: The file with its rows, or its mark.
        what: See `Fault.what`.
        sweeps: Those whose newest submission plans the stage.
    """
    when = f"when sweep {' or '.join(sweeps)} is run" if sweeps else "when a sweep plans it again"
    remedy = f"it continues from its last checkpoint, or is computed again, {when}"
    return Fault(path, what, remedy, sweeps=sweeps)


def repair(store: Store, fault: Fault) -> None:
    """Move the damaged file to `lost+found/`, and write it again if possible."""
    if fault.path.exists():
        target = store.root / LOST_AND_FOUND / fault.path.relative_to(store.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        fault.path.replace(target)
    if fault.restore is not None:
        fault.restore()
