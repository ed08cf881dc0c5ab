"""Ids of trials, groups and stages, and finding one by its first digits."""

import re
from collections import defaultdict

from results.errors import StoreError
from results.store.layout import STAGE_KINDS
from results.store.store import Store

ID_COLUMNS = {
    "trial_id": "trial",
    "group_id": "group",
    "search_key": "search stage",
    "sample_key": "sample or given stage",
    "derive_key": "derive stage",
    "retrain_key": "retrain stage",
}
"""Columns of `trials` that hold ids, and what each id names. A trial has the id of its last stage,
so `trial_id` comes first: what an id names first is what `fairdarts show` shows."""
MAX_NAMED = 4
"""An error lists at most this many ids."""

_ID = re.compile(r"[0-9a-fA-F]{1,16}")


def looks_like_id(text: str) -> bool:
    """Whether a text may be an id or the beginning of one; capitals do not matter."""
    return _ID.fullmatch(text.strip()) is not None


def find_id(store: Store, text: str) -> str:
    """Find the whole id that a person means.

    Args:
        store: Where to look.
        text: The id or its first digits; capitals do not matter.
    Raises:
        StoreError: If no id begins with these digits, or more than one does.
    """
    source = "`fairdarts sweep plan SWEEP` and `fairdarts show SWEEP` print ids"
    wanted = text.strip().lower()
    if not looks_like_id(wanted):
        raise StoreError(
            f"{text!r} is not an id: an id has 16 digits of 0-9 and a-f, and its first few are "
            f"enough; {source}."
        )
    found = {id_: what for id_, what in known_ids(store, wanted).items() if id_.startswith(wanted)}
    if not found:
        raise StoreError(f"{store.root} has no id that begins with {wanted}: {source}.")
    if len(found) > 1:
        named = [f"{id_} ({what[0]})" for id_, what in sorted(found.items())]
        more = ["..."] if len(named) > MAX_NAMED else []
        raise StoreError(
            f"{len(found)} ids begin with {wanted}: give more digits of one of "
            f"{', '.join(named[:MAX_NAMED] + more)}."
        )
    return next(iter(found))


def known_ids(store: Store, beginning: str = "") -> dict[str, list[str]]:
    """List the ids of trials, groups and stages, each with what it names.

    Args:
        store: Where to look.
        beginning: First digits of the ids wanted; the result may contain others too.
    """
    import pyarrow.compute as pc

    ids: defaultdict[str, list[str]] = defaultdict(list)
    trials = store.read("trials", columns=list(ID_COLUMNS))
    for column, what in ID_COLUMNS.items():
        names = trials[column].unique().drop_null()
        for id_ in names.filter(pc.starts_with(names, beginning)).to_pylist():
            ids[id_].append(what)
    # A stage can remain although no plan has its trials, and a folder although it is deleted.
    deleted = store.manifest().deleted.stages
    for kind in STAGE_KINDS:
        for folder in (store.root / "stages" / kind).glob(f"{beginning[:2]}*/*"):
            if _ID.fullmatch(folder.name) and folder.name not in ids.keys() | deleted.keys():
                ids[folder.name].append(f"{kind} stage")
    return dict(ids)
