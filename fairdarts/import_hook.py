"""One module imported after another: how timm learns of the networks that this package builds.

timm has no plug-ins: a model is known once something registers it, which takes timm and so torch.
This package must be importable without either, and before or after timm.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType


def when_imported(name: str, follower: str) -> None:
    """Import module `follower` as soon as module `name` is imported: now, if it is already."""
    if name in sys.modules:
        import_module(follower)
    else:
        sys.meta_path.insert(0, _FollowedImport(name, follower))


class _FollowedImport:
    """Finder that has `name` found by the finders after it, and `follower` imported next."""

    def __init__(self, name: str, follower: str) -> None:
        self.name = name
        self.follower = follower

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        later = sys.meta_path[sys.meta_path.index(self) + 1 :]
        specs = (finder.find_spec(fullname, path, target) for finder in later)
        spec = next((spec for spec in specs if spec is not None), None)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_both(module: ModuleType) -> None:
                load(module)
                import_module(self.follower)

            spec.loader.exec_module = load_both  # type: ignore[method-assign]
        return spec
