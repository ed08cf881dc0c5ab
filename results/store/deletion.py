"""Deletes stages and submissions, and adds what is imported.

To delete is to claim a manifest: the next manifest says that they do not count any more.

At the moment at which that manifest is claimed, everything is deleted at once. After that, files
that do not count are removed: live ones here, the folders of stages and the plans by
`orchestrate.running.deletion`. Rows of deleted stages in packs that have others, too, are gone when
the next seal writes these packs anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from results.errors import StoreError
from results.store.manifest import Deleted, Manifest, Pack, SealedStage, commit
from results.store.seal import remove_pack
from results.store.store import Store
from results.store.sweeping import sweep
from results.version import DELETED_MAJOR

TRIES = 5
"""Other processes may seal at the same time."""


def delete(
    store: Store, stages: Mapping[str, SealedStage], sweeps: Mapping[str, tuple[int, ...]]
) -> None:
    """Delete attempts at stages and submissions of sweeps; `remove_files` removes their files.

    Args:
        store: Where they are.
        stages: By key, each with the last attempt to delete. If it is sealed, it is not any more.
        sweeps: By name, each with the numbers of the submissions to delete.
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
        numbers = {
            name: tuple(sorted({*old.sweeps.get(name, ()), *new})) for name, new in sweeps.items()
        }
        after = Manifest(
            before.number + 1,
            tuple(pack for pack in packs if pack.stages),
            Deleted({**old.stages, **stages}, {**old.sweeps, **numbers}),
        )
        if commit(store.root, after):
            sweep(store, after)
            return
    raise StoreError(f"other processes seal results in {store.root}: try it again.")


def add(
    store: Store,
    write: Callable[[Manifest], Sequence[Pack]],
    stages: Mapping[str, SealedStage | None],
    sweeps: Mapping[str, tuple[int, ...]],
) -> None:
    """Seal rows that come from elsewhere, and undo a deletion, in one step.

    Args:
        store: Where to.
        write: Writes the packs that the manifest after the given one will name.
        stages: Of each stage, what of it is deleted afterwards; None: nothing.
        sweeps: Of each sweep, the numbers of submissions that are deleted no more.
    Raises:
        StoreError, OSError: As of `delete`.
    """
    store.raise_major(DELETED_MAJOR)
    for _ in range(TRIES):
        before = store.manifest()
        packs = write(before)
        old = before.deleted
        hidden = {**old.stages, **stages}
        kept = {name: tuple(set(old.sweeps[name]) - {*sweeps.get(name, ())}) for name in old.sweeps}
        deleted = Deleted(
            {key: stage for key, stage in hidden.items() if stage is not None},
            {name: tuple(sorted(numbers)) for name, numbers in kept.items() if numbers},
        )
        after = Manifest(before.number + 1, (*before.packs, *packs), deleted)
        if commit(store.root, after):
            sweep(store, after)
            return
        for pack in packs:
            remove_pack(store, pack)
    raise StoreError(f"other processes seal results in {store.root}: try it again.")


def remove_files(store: Store) -> None:
    """Remove live files that do not count."""
    for path in store.needless_live_files(store.manifest()):
        path.unlink(missing_ok=True)


def _without(pack: Pack, stages: Mapping[str, SealedStage]) -> Pack:
    kept = {key: stage for key, stage in pack.stages.items() if key not in stages}
    return replace(pack, stages=kept)
