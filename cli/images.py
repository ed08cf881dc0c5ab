"""Fingerprints of the images that a command plans with, with a progress bar after two seconds."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from cli.console import rich_console
from cli.interrupt import tidying
from cli.progress import PATIENCE_S

if TYPE_CHECKING:
    from rich.progress import Progress

    from fairdarts.config import DataConfig
    from fairdarts.data.files import Split
    from results.store.store import Store


class Fingerprinter:
    """Takes fingerprints of images for a plan, and keeps the digests of files in the store."""

    def __init__(self, store: Path) -> None:
        from results.store.store import Store

        self._store = Store.open(store) if Store.exists_at(store) else None
        self._asked: set[tuple[DataConfig, Split]] = set()

    def identify(self, config: "DataConfig", split: "Split") -> str:
        """Take the fingerprint of the images of one split, see `fairdarts.data.fingerprint`."""
        from fairdarts.data.fingerprint import fingerprint

        self._asked.add((config, split))
        shared = self._store.digests_dir if self._store else None
        with tidying(), _Reading(config.source) as progress:
            return fingerprint(config, split, shared=shared, on_progress=progress)

    def share(self, store: "Store") -> None:
        """Keep the digests in a store made after the plan, so that nodes need not read again."""
        if self._store is None:
            self._store = store
            for config, split in self._asked:
                self.identify(config, split)


class _Reading:
    """A progress bar on stderr after two seconds; one line if stderr is not a terminal."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._due_s = time.monotonic() + PATIENCE_S
        self._bar: Progress | None = None

    def __enter__(self) -> "_Reading":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            if time.monotonic() < self._due_s:
                return
            self._bar = self._start()
        task = self._bar.task_ids[0]
        self._bar.update(task, completed=done, total=total or None)

    def _start(self) -> "Progress":
        from rich.markup import escape
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

        console = rich_console(stderr=True)
        what = f"reading {self._source} once, to identify its images"
        if not console.is_terminal:
            console.print(what, markup=False, soft_wrap=True)
        columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
        bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        bar.add_task(escape(what), total=None)
        bar.start()
        return bar
