"""The ids that people meet: of trials, groups and stages, whole or shortened."""

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
"""Columns of `trials` that hold ids, and what each names. A trial has the id of its last stage."""
MAX_NAMED = 4
"""Ids that an error lists."""

_ID = re.compile(r"[0-9a-fA-F]{1,16}")


def looks_like_id(text: str) -> bool:
    """Whether a text may be an id or the beginning of one, in capitals or not."""
    return _ID.fullmatch(text.strip()) is not None


def find_id(store: Store, text: str) -> str:
    """The whole id that a person means.

    Args:
        store: Where it is looked for.
        text: The id or its first digits, in capitals or not.
    Raises:
        StoreError: If there is no such id, or more than one begins so.
    """
    source = "`fairdarts sweep plan SWEEP` and `fairdarts show SWEEP` print ids"
    wanted = text.strip().lower()
    if not looks_like_id(wanted):
        raise StoreError(
            f"{text!r} is not an id: an id has 16 digits of 0-9 and a-f, of which the first are "
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
    """Ids of the store's trials, groups and stages, each with what it names, the widest first.

    Args:
        store: Where to look.
        beginning: Digits that ids begin with; others may be left out.
    """
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for row in store.read("trials", columns=list(ID_COLUMNS)).to_pylist():
        for column, what in ID_COLUMNS.items():
            if row[column] and what not in ids[row[column]]:
                ids[row[column]].append(what)
    # A stage may be left whose trials were planned by files that are gone.
    for kind in STAGE_KINDS:
        for folder in (store.root / "stages" / kind).glob(f"{beginning[:2]}*/*"):
            if _ID.fullmatch(folder.name) and folder.name not in ids:
                ids[folder.name].append(f"{kind} stage")
    return dict(ids)
