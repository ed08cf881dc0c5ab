"""Removes files that no reader needs any more, because of what the manifest says."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from results.store import layout
from results.store.manifest import Deleted, Manifest
from results.store.store import Store

OLD_S = 3600.0
"""A claim that is this much older than the manifest belongs to a process that is gone."""


def sweep(store: Store, manifest: Manifest) -> None:
    """Remove live files of sealed stages, packs without a manifest, and older manifests.

    Args:
        store: The store.
        manifest: The newest manifest.
    """
    if not manifest.number:
        return
    # What is only deleted is left to `deletion`: an import writes files that do not count yet.
    for path in store.needless_live_files(replace(manifest, deleted=Deleted())):
        path.unlink(missing_ok=True)
    sealed = store.root / layout.SEALED
    named = {pack.name for pack in manifest.packs}
    for path in sealed.glob("*/*"):
        # Also temporary files, whose names begin with a dot. A pack with a higher number may belong
        # to a process that is about to claim the next manifest; with this number nobody can.
        pack = path.name.lstrip(".").partition(".")[0]
        number = layout.pack_number(pack)
        if number and number <= manifest.number and (pack not in named or path.name[0] == "."):
            path.unlink(missing_ok=True)
    current = sealed / layout.manifest_name(manifest.number)
    for path in sealed.iterdir():
        number = layout.manifest_number(path.stem)
        if 0 < number < manifest.number or _is_old_claim(path, current):
            path.unlink(missing_ok=True)


def _is_old_claim(path: Path, current: Path) -> bool:
    with suppress(FileNotFoundError):
        is_temporary = path.name.startswith(".") and path.name.endswith(".tmp")
        return is_temporary and current.stat().st_mtime - path.stat().st_mtime > OLD_S
    return False
