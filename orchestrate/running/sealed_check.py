"""Finds damage to sealed files: to the manifest, and to the packs that it names."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from orchestrate.running.faults import DAMAGED, Fault
from results.errors import DamagedFile
from results.store.files import write_whole
from results.store.layout import SEALED, manifest_name
from results.store.manifest import copy_of, decoded, is_lost, manifest_numbers
from results.store.rebuild import rebuild
from results.store.seal import unseal
from results.store.sealed import sealed_path, sealed_rows
from results.store.store import Store

UNSEALED = (
    "what is intact of its stages is written to live files; the others continue from their last "
    "checkpoints, or are computed again, when their sweeps are run"
)

REBUILT = (
    "made again from the sealed files, as far as the checksums of their pages are right; damaged "
    "packs are moved to lost+found, and what was deleted a short time ago may be back"
)


def manifest_faults(store: Store) -> Iterator[Fault]:
    """Damage to the newest manifest or to its copy."""
    number = max(manifest_numbers(store.root), default=0)
    if not number:
        if is_lost(store.root):
            path = store.root / SEALED / "MANIFEST-*"
            yield Fault(path, "is missing", REBUILT, partial(rebuild, store))
        return
    path = store.root / SEALED / manifest_name(number)
    intact = {}
    for one in (path, copy_of(path)):
        try:
            content = one.read_bytes()
            decoded(one, content)
            intact[one] = content
        except (FileNotFoundError, DamagedFile):
            continue
    for one, other in ((copy_of(path), path), (path, copy_of(path))):
        if one not in intact:
            what = DAMAGED if one.exists() else "is missing"
            if other in intact:
                restore = partial(write_whole, one, intact[other])
                yield Fault(one, what, "restored from its copy", restore)
            elif one == path:
                yield Fault(one, what, REBUILT, partial(rebuild, store))
            else:
                yield Fault(one, what, "written again with the manifest")


def pack_faults(store: Store) -> Iterator[Fault]:
    """Damaged and missing files of packs."""
    manifest = store.manifest()
    for pack in manifest.packs:
        only = replace(manifest, packs=(pack,))
        for table in pack.files:
            path = sealed_path(store.root, table, pack.name)
            try:
                if (rows := sealed_rows(store.root, only, table, None)) is not None:
                    rows.check()
            except DamagedFile:
                what = DAMAGED if path.exists() else "is missing"
                yield Fault(path, what, UNSEALED, partial(unseal, store, pack.name))
