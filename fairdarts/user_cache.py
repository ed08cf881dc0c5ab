"""Where things are kept for this user; no settings, so that a figure need not load them."""

import contextlib
import os
from pathlib import Path


def user_cache() -> Path | None:
    """Where things are kept for this user that can be made again; None: the user has no home.

    This is fairdarts in $XDG_CACHE_HOME, or in ~/.cache if that is not set.
    """
    with contextlib.suppress(RuntimeError):  # A user without a home folder.
        cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
        return (cache if cache.is_absolute() else Path.home() / ".cache") / "fairdarts"
    return None
