"""How long stages will take, roughly: enough to tell which path through a sweep is the longest."""

from orchestrate.planning.plan import StageSpec
from results.errors import DamagedFile
from results.store.store import Store

WIDTHS = ("init_channels", "width")
DEPTHS = ("num_cells", "num_layers")


class Durations:
    """Estimates of the seconds that stages take.

    A stage takes its work times the pace of its kind. The work is counted from its settings:
    epochs x training images x channels x cells or layers. The pace is measured on a finished stage
    of the kind, and is 1 until one has finished. So the estimates of one kind compare well with one
    another, and those of different kinds as soon as each kind has been measured.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pace: dict[str, float] = {}

    def of(self, stage: StageSpec) -> float:
        """Seconds that a stage takes; 0 for one that does not train."""
        return work(stage) * self._pace.get(stage.kind, 1.0)

    def knows(self, stage: StageSpec) -> bool:
        """Whether the pace of its kind was measured, or it does not train."""
        return not work(stage) or stage.kind in self._pace

    def measure(self, stage: StageSpec) -> bool:
        """Take the pace of its kind from the epochs of a stage, if there was none yet.

        Returns:
            Whether it was taken, so that estimates have changed.
        """
        if not work(stage) or stage.kind in self._pace:
            return False
        try:
            rows = self._store.read("epochs", [stage.key], ["wall_s"])
        except DamagedFile:
            return False
        epochs = [seconds for seconds in rows["wall_s"].to_pylist() if seconds]
        if not epochs:
            return False
        num_epochs = stage.config[stage.kind]["epochs"]
        self._pace[stage.kind] = sum(epochs) / len(epochs) * num_epochs / work(stage)
        return True


def work(stage: StageSpec) -> float:
    """How much a stage computes, in a unit of its kind; 0 for one that does not train."""
    settings = stage.config.get(stage.kind)
    if not isinstance(settings, dict) or "epochs" not in settings:
        return 0.0
    width = next((settings[name] for name in WIDTHS if settings.get(name)), 1)
    depth = next((settings[name] for name in DEPTHS if settings.get(name)), 1)
    num_images = stage.config["data"].get("num_train") or 1
    return float(settings["epochs"] * num_images * width * depth)
