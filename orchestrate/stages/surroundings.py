"""Gives each stage the process as the first one found it, whatever the one before left in it.

A process computes one stage after the other, because starting one takes longer than a short stage.
A result must not depend on what was computed there before.
"""

import gc
import importlib
import logging
import multiprocessing
import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

RESET_PEAK = "5"
"""What proc(5) takes in `clear_refs` to count the peak of memory anew."""


def import_timm() -> None:
    """Import timm's tools without W&B, which they import wherever it is installed.

    W&B makes folders when it is imported, and a process that is killed leaves them behind. Besides,
    it takes 0.6 s of each start.
    """
    sys.modules["wandb"] = None  # type: ignore[assignment] # How Python says "not to be imported".
    try:
        importlib.import_module("timm.utils")
    finally:
        del sys.modules["wandb"]


@contextmanager
def own_surroundings(umask: int) -> Iterator[None]:
    """Inside, a stage may change its process as it likes; afterwards it is as before.

    That covers: environment, working directory, umask, random numbers, torch's threads, flags and
    compiled code, warnings, loggers, processes that were left over, memory that is kept for later,
    and the peak of memory.

    Args:
        umask: The umask inside.
    """
    environment, folder = dict(os.environ), Path.cwd()
    loggers = {logger: _settings_of(logger) for logger in _loggers()}
    randomness = random.getstate(), np.random.get_state(), torch.get_rng_state()
    flags = _Flags()
    before = os.umask(umask)
    _forget_peaks()
    try:
        with warnings.catch_warnings():
            yield
    finally:
        os.umask(before)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        random.setstate(randomness[0])
        np.random.set_state(randomness[1])
        torch.set_rng_state(randomness[2])
        flags.restore()
        for logger in _loggers():
            _restore(logger, *loggers.get(logger, (logging.NOTSET, [], True, False)))
        for child in multiprocessing.active_children():
            child.terminate()
        _free_memory()


class _Flags:
    """Torch's settings for a whole process that change what it computes, or how."""

    def __init__(self) -> None:
        self._threads = torch.get_num_threads()
        self._dtype = torch.get_default_dtype()
        self._grad = torch.is_grad_enabled()
        self._deterministic = torch.get_deterministic_debug_mode()
        self._anomaly = torch.is_anomaly_enabled()
        backends: Any = torch.backends  # whose annotations lack some of these
        self._settings = [
            (holder, name, getattr(holder, name))
            for holder, names in (
                (backends.cudnn, ("enabled", "benchmark", "deterministic")),
                (backends.cuda.matmul, ("fp32_precision",)),
                (backends.cudnn.conv, ("fp32_precision",)),
                (backends.cudnn.rnn, ("fp32_precision",)),
                (backends.mkldnn.matmul, ("fp32_precision",)),
            )
            for name in names
        ]
        self._random_of_gpus = torch.cuda.get_rng_state_all() if _uses_cuda() else []

    def restore(self) -> None:
        torch.set_num_threads(self._threads)
        torch.set_default_dtype(self._dtype)
        torch.set_grad_enabled(self._grad)
        torch.set_deterministic_debug_mode(self._deterministic)
        torch.autograd.set_detect_anomaly(self._anomaly)
        for holder, name, value in self._settings:
            setattr(holder, name, value)
        if self._random_of_gpus:
            torch.cuda.set_rng_state_all(self._random_of_gpus)


def _loggers() -> list[logging.Logger]:
    named = logging.Logger.manager.loggerDict.values()
    return [logging.getLogger(), *(one for one in named if isinstance(one, logging.Logger))]


def _settings_of(logger: logging.Logger) -> tuple[int, list[logging.Handler], bool, bool]:
    return logger.level, list(logger.handlers), logger.propagate, logger.disabled


def _restore(
    logger: logging.Logger,
    level: int,
    handlers: list[logging.Handler],
    propagate: bool,
    disabled: bool,
) -> None:
    logger.setLevel(level)
    logger.handlers[:] = handlers
    logger.propagate, logger.disabled = propagate, disabled


def _free_memory() -> None:
    if "torch._dynamo" in sys.modules:  # Only where something was compiled.
        torch._dynamo.reset()
    gc.collect()  # Closes files, too.
    if _uses_cuda():
        torch.cuda.empty_cache()


def _forget_peaks() -> None:
    with suppress(OSError):  # Not Linux, or not allowed.
        Path("/proc/self/clear_refs").write_text(RESET_PEAK, "ascii")
    if _uses_cuda():
        torch.cuda.reset_peak_memory_stats()


def _uses_cuda() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
