"""Deletes stages and submissions: the next manifest says that they do not count any more.

At the moment at which that manifest is claimed, everything is deleted at once. After that, files
that do not count are removed: live ones and packs here, by `sweep`; the folders of stages and the
plans by `orchestrate.running.deletion`. Rows of deleted stages in packs that have others, too, are
gone when the next seal writes these packs anew.
"""

from collections.abc import Mapping
from dataclasses import replace

from results.errors import StoreError
from results.store.manifest import Deleted, Manifest, Pack, SealedStage, commit
from results.store.store import Store
from results.store.sweeping import sweep
from results.version import DELETED_MAJOR

TRIES = 5
"""Other processes may seal at the same time."""


def delete(store: Store, stages: Mapping[str, SealedStage], sweeps: Mapping[str, int]) -> None:
    """Delete attempts at stages and submissions of sweeps.

    Args:
        store: Where they are.
        stages: By key, each with the last attempt to delete. If it is sealed, it is not any more.
        sweeps: By name, each with the last submission to delete.
    Raises:
        StoreError: If other processes change the store all the time; nothing is deleted then.
        OSError: If the store cannot be written; either nothing is deleted then, or files remain
            that do not count.
    """
    store.raise_major(DELETED_MAJOR)
    for _ in range(TRIES):
        before = store.manifest()
        packs = (_without(pack, stages) for pack in before.packs)
        old = before.deleted
        after = Manifest(
            before.number + 1,
            tuple(pack for pack in packs if pack.stages),
            Deleted({**old.stages, **stages}, {**old.sweeps, **sweeps}),
        )
        if commit(store.root, after):
            sweep(store, after)
            return
    raise StoreError(f"other processes seal results in {store.root}: delete it again.")


def _without(pack: Pack, stages: Mapping[str, SealedStage]) -> Pack:
    kept = {key: stage for key, stage in pack.stages.items() if key not in stages}
    return replace(pack, stages=kept)
