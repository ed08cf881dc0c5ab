"""How much memory the trials of a sweep will need, told before the first one starts.

On a GPU only tensors matter, and they can be counted without computing (`fairdarts.memory`). On a
CPU the whole process matters: also what its libraries load, and what the memory allocator keeps.
That cannot be counted, so it is measured: a new process takes training steps with two small
batches, and the memory of a full batch is extrapolated from the two peaks.
"""

import functools
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from fairdarts.config import DataConfig, RetrainConfig, SearchConfig
from fairdarts.data.images import ImageSet
from fairdarts.data.sources import load_train
from fairdarts.data.stream import Batch
from fairdarts.genotype.any_genotype import AnyGenotype
from fairdarts.genotype.layer_genotype import LayerGenotype
from fairdarts.genotype.published import published
from fairdarts.memory import retrain_bytes, search_bytes
from fairdarts.network.retrain import RetrainState, train_step
from fairdarts.search.state import SearchState
from fairdarts.search.step import search_step
from fairdarts.spaces import LayerSpace, get_space
from orchestrate.planning.plan import TrialSpec
from orchestrate.stages.runtime import peak_of_process

T = TypeVar("T")
DATA = set(DataConfig.model_fields)
MEMORY_SETTINGS = {
    "space",
    "optimization",
    "order",
    "perturbation",
    "stopping",
    "batch_size",
    "micro_batches",
    "init_channels",
    "num_cells",
    "width",
    "num_layers",
    "channels_last",
    "precision",
    "recompute",
    "kernels",
}
"""Settings of a search that can change how much memory it needs."""
RETRAIN_MEMORY_SETTINGS = {
    "stem",
    "init_channels",
    "num_cells",
    "width",
    "squeeze_excite",
    "activation",
    "dropout",
    "batch_size",
    "optimizer",
    "momentum",
    "auxiliary_weight",
    "drop_path",
    "drop_path_mode",
    "ema_decay",
    "channels_last",
    "precision",
    "compile",
}
"""Those of a retraining."""


@dataclass(frozen=True)
class Forecast:
    """Memory, in bytes, of trials that all need the same amount."""

    label: str
    """Label of the first of these trials."""
    num_trials: int
    search: int | None
    """Memory of the search; None if these trials have no search."""
    retrain: int
    """Memory of the retraining, with a typical genotype: the search has not derived one yet."""

    @property
    def peak(self) -> int:
        """The larger of the two: search and retraining do not run at the same time."""
        return max(self.search or 0, self.retrain)


CPU = torch.device("cpu")
MEASURED_BATCHES = (4, 8)
"""Batch sizes that are measured. Memory grows linearly with the batch size, so two are enough."""
MEASURED_STEPS = 2
"""The first step creates the optimiser's state; only the second one holds all of it from start to
end."""


def forecasts(trials: list[TrialSpec], on_gpu: bool) -> Iterator[Forecast]:
    """The memory that trials need: one forecast for all trials that need the same.

    Args:
        trials: The plan of a sweep.
        on_gpu: Whether they will compute on a GPU. Then the forecast is the memory of the GPU,
            otherwise that of a trial's whole process.
    Raises:
        DataError: If a data set cannot be used.
    """
    by_size: dict[str, list[TrialSpec]] = {}
    for trial in trials:
        by_size.setdefault(f"{_search_size(trial)} {_retrain_size(trial)}", []).append(trial)
    peaks = _peaks(on_gpu)
    for same in by_size.values():
        first = same[0]
        search = peaks.of_search(first) if first.stage("search") else None
        yield Forecast(first.label, len(same), search, peaks.of_retraining(first))


def gpu_peaks(trials: list[TrialSpec], kind: str) -> list[int]:
    """The memory of a GPU that each stage of a kind will need, in bytes, the largest first.

    Args:
        trials: The plan of a sweep. A stage that trials share counts once.
        kind: `search` or `retrain`.
    Raises:
        DataError: If a data set cannot be used.
    """
    peaks = _peaks(on_gpu=True)
    of = {"search": peaks.of_search, "retrain": peaks.of_retraining}[kind]
    owners = {stage.key: trial for trial in trials if (stage := trial.stage(kind))}
    return sorted(map(of, owners.values()), reverse=True)


def sizes_of(
    trial: TrialSpec, kind: str
) -> tuple[SearchConfig | RetrainConfig, AnyGenotype, int, int]:
    """What the size of a trial's stage depends on: settings, a typical genotype, classes, pixels.

    Raises:
        DataError: If the data set cannot be used.
    """
    section: type[SearchConfig | RetrainConfig] = SearchConfig
    if kind == "retrain":
        section = RetrainConfig
    config = section.build(_settings(trial, kind), kind)
    _, num_classes, image_size = _peaks(on_gpu=True).images(trial, kind)
    return config, _typical_genotype(trial), num_classes, image_size


class _Peaks:
    """Peaks of the stages of trials; those of one size are counted or measured once."""

    def __init__(self, on_gpu: bool) -> None:
        self._on_gpu = on_gpu
        self._known: dict[str, int] = {}
        self._data: dict[str, tuple[int, int, int]] = {}

    def of_search(self, trial: TrialSpec) -> int:
        count = search_bytes if self._on_gpu else _search_bytes_of_process
        held, *network = self.images(trial, "search")
        return held + self._once(
            _search_size(trial), lambda: count(_search_config(trial), *network)
        )

    def of_retraining(self, trial: TrialSpec) -> int:
        count = retrain_bytes if self._on_gpu else _retrain_bytes_of_process
        config = RetrainConfig.build(_settings(trial, "retrain"), "retrain")
        held, *network = self.images(trial, "retrain")
        return held + self._once(
            _retrain_size(trial), lambda: count(_typical_genotype(trial), config, *network)
        )

    def _once(self, size: str, count: Callable[[], int]) -> int:
        if size not in self._known:
            self._known[size] = count()
        return self._known[size]

    def images(self, trial: TrialSpec, kind: str) -> tuple[int, int, int]:
        """Bytes of a stage's images that are kept in memory, number of classes, and size."""
        data = _data_settings(trial, kind)
        if repr(data) not in self._data:
            images = load_train(DataConfig.build(data, "data"))
            # An `ImageSet` keeps all its images in memory; other images stay in their files.
            held = images.images.untyped_storage().nbytes() if isinstance(images, ImageSet) else 0
            self._data[repr(data)] = (held, images.num_classes, images.image_size)
        return self._data[repr(data)]


@functools.cache
def _peaks(on_gpu: bool) -> _Peaks:
    """One for all questions of this process."""
    return _Peaks(on_gpu)


def _search_size(trial: TrialSpec) -> str:
    """All settings that the memory of a trial's search depends on, as text to compare."""
    if trial.stage("search") is None:
        return ""
    settings = _chosen(_settings(trial, "search"), MEMORY_SETTINGS)
    return repr((settings, _data_settings(trial, "search")))


def _retrain_size(trial: TrialSpec) -> str:
    """Likewise of its retraining, with a typical genotype."""
    settings = _chosen(_settings(trial, "retrain"), RETRAIN_MEMORY_SETTINGS)
    return repr((settings, _data_settings(trial, "retrain"), _typical_genotype(trial)))


def _settings(trial: TrialSpec, kind: str, section: str = "") -> dict[str, Any]:
    """Settings of one section of a trial's stage, by default that of its kind."""
    stage = trial.stage(kind)
    assert stage is not None
    settings: dict[str, Any] = stage.config[section or kind]
    return settings


def _data_settings(trial: TrialSpec, kind: str) -> dict[str, Any]:
    return _chosen(_settings(trial, kind, "data"), DATA)


def _chosen(settings: dict[str, Any], names: Set[str]) -> dict[str, Any]:
    return {name: settings[name] for name in sorted(names & settings.keys())}


def _search_config(trial: TrialSpec) -> SearchConfig:
    return SearchConfig.build(_settings(trial, "search"), "search")


def _typical_genotype(trial: TrialSpec) -> AnyGenotype:
    if trial.stage("search"):
        settings = _search_config(trial)
        if isinstance(get_space(settings.space), LayerSpace):
            return LayerGenotype.uniform("E6K5", settings.num_layers)
    return published("FairDARTS_b").genotype


def _search_bytes_of_process(config: SearchConfig, num_classes: int, image_size: int) -> int:
    # Only one micro-batch is in memory at a time: it is measured as a batch of its own.
    whole = config.model_copy(update={"micro_batches": 1})
    part = -(-config.batch_size // config.micro_batches)  # rounded up
    return _extrapolated(part, _peak_of_search, whole, num_classes, image_size)


def _retrain_bytes_of_process(
    genotype: AnyGenotype, config: RetrainConfig, num_classes: int, image_size: int
) -> int:
    plain = config.model_copy(update={"compile": False})  # Compiling would take too long here.
    return _extrapolated(
        config.batch_size, _peak_of_retraining, genotype, plain, num_classes, image_size
    )


def _extrapolated(batch_size: int, peak: Callable[..., int], *arguments: object) -> int:
    small, large = MEASURED_BATCHES
    low, high = (in_own_process(peak, number, *arguments) for number in MEASURED_BATCHES)
    return low + (high - low) * (batch_size - small) // (large - small)


def in_own_process(function: Callable[..., T], *arguments: object) -> T:
    """Result of a function that can be pickled, computed in a new process."""
    # "spawn", because a forked process would start with all the memory of this one. The new process
    # ignores Ctrl-C: the terminal sends it to both, and this one handles it.
    context = multiprocessing.get_context("spawn")
    ignore = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(1, context, initializer=signal.signal, initargs=ignore) as pool:
        return pool.submit(function, *arguments).result()


def _peak_of_search(batch_size: int, config: SearchConfig, num_classes: int, size: int) -> int:
    state = SearchState(config, num_classes, CPU)
    state.supernet.train()
    batch = _batch(batch_size, size, config.channels_last)
    return _peak_of_process(lambda: search_step(state, batch, batch, config))


def _peak_of_retraining(
    batch_size: int, genotype: AnyGenotype, config: RetrainConfig, num_classes: int, size: int
) -> int:
    state = RetrainState(genotype, config, num_classes, CPU)
    state.network.train()
    batch = _batch(batch_size, size, config.channels_last)
    return _peak_of_process(lambda: train_step(state, batch, config))


def _batch(batch_size: int, image_size: int, channels_last: bool) -> Batch:
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    images = torch.zeros(batch_size, 3, image_size, image_size)
    labels = torch.zeros(batch_size, dtype=torch.int64)
    return images.contiguous(memory_format=memory_format), labels


def _peak_of_process(step: Callable[[], object]) -> int:
    """Highest memory of this process so far, in bytes, after it has taken some training steps."""
    import ray.tune  # noqa: F401 - a trial's process has it in memory too

    torch.set_num_threads(1)
    for _ in range(MEASURED_STEPS):
        step()
    return peak_of_process()
