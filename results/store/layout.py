"""Where each file of a store is, and which names a path may contain. Imports nothing heavy.

    STORE.json                          what the folder is, and the version of its schema
    sweeps/<sweep>/0001.json            one file for each submission: its resolved sweep
    stages/<kind>/<k2>/<key>/           one folder for each stage: attempts, checkpoints, marks
    trainings/<k2>/<key>.json           which stage trains a genotype, for others that derive it too
    drivers/<run>/                      the runs that are alive, and requests to stop them
    drivers/mirror-<digest>.lock        locked by the run that shows a sweep in TensorBoard or so
    digests/                            digests of images, read once for all nodes
    live/<table>/<name>.parquet         one small file for each writer, always written whole
    lost+found/                         damaged files that `fairdarts store check` moved away
    sealed/MANIFEST-00000007.json       which stages are sealed, and in which files; see `manifest`
    sealed/<table>/<pack>.parquet       rows of many finished stages; never changed

`<k2>` is the first two digits of the key. A live file of the table `trials` is named
`<sweep>.<submission>`; in any other table it is named `<key>.a<attempt>`. A pack is named after the
number of the manifest that named it first, such as `00000007-1f2e3d4c`.
"""

import hashlib
import re
from pathlib import Path

from results.errors import StoreError

FORMAT = "fairdarts-store"
STORE_FILE = "STORE.json"
LOST_AND_FOUND = "lost+found"
SEALED = "sealed"
FOLDERS = ("sweeps", "stages", "trainings", "drivers", "live", SEALED, LOST_AND_FOUND)
"""Folders of a store. A freshly formatted disk has its own `lost+found`."""
ROWS_OF: dict[str, tuple[str, ...]] = {
    "search": ("epochs",),
    "sample": ("genotypes",),
    "given": ("genotypes",),
    "derive": ("genotypes",),
    "retrain": ("epochs", "retrains"),
}
"""For each kind of stage, the tables that it writes."""
STAGE_KINDS = tuple(ROWS_OF)
PLAN_TABLE = "trials"
STAGE_TABLES = frozenset({"epochs", "genotypes", "retrains"})
"""Tables of which only the highest attempt of a stage is read: its file has all rows."""
TABLES = frozenset({PLAN_TABLE, "attempts", *STAGE_TABLES})

_KEY = re.compile(r"[0-9a-f]{16}")
_SWEEP = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_PLAN_NAME = re.compile(rf"{_SWEEP.pattern}(\.[0-9]{{4,9}})?")
_ATTEMPT_NAME = re.compile(rf"({_KEY.pattern})\.a([0-9]{{4,9}})")
_MANIFEST = re.compile(r"MANIFEST-([0-9]{8})")
_PACK_NAME = re.compile(r"([0-9]{8})-[0-9a-f]{8}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def foreign_names(folder: Path) -> list[str]:
    """Names in a folder that neither a store nor the system puts there, sorted."""
    if not folder.is_dir():
        return []
    names = (path.name for path in folder.iterdir())
    return sorted(name for name in names if name not in FOLDERS and not name.startswith("."))


def check_root(root: Path) -> None:
    """Refuse an object store.

    Raises:
        StoreError: If `root` is a URL. (`Path` has merged its two slashes before this is called.)
    """
    if _URL.match(str(root)):
        raise StoreError(
            f"store (={str(root)!r}) must be a folder with an atomic rename, on a local or shared "
            "disk: object stores are not supported, so give the path of a folder."
        )


def check_key(key: str) -> str:
    """Return `key` if it is a stage key.

    Raises:
        StoreError: If it is not.
    """
    if not _KEY.fullmatch(key):
        raise StoreError(f"stage key (={key!r}) must be 16 digits of 0-9 and a-f.")
    return key


def is_key(name: str) -> bool:
    """Whether a name has the form of a key."""
    return _KEY.fullmatch(name) is not None


def check_sweep(name: str) -> str:
    """Return `name` if a sweep may have it.

    Raises:
        StoreError: If it may not.
    """
    if not _SWEEP.fullmatch(name):
        raise StoreError(
            f"sweep name (={name!r}) must be 1 to 63 characters of a-z, 0-9, _ and -, and start "
            "with a letter or a digit: rename the sweep."
        )
    return name


def is_sweep(name: str) -> bool:
    """Whether a sweep may have this name."""
    return _SWEEP.fullmatch(name) is not None


def check_kind(kind: str) -> str:
    """Return `kind` if it is a kind of stage.

    Raises:
        StoreError: If it is not.
    """
    if kind not in STAGE_KINDS:
        raise StoreError(f"stage kind (={kind!r}) must be one of {', '.join(STAGE_KINDS)}.")
    return kind


def check_table(table: str) -> str:
    """Return `table` if it is the name of a table.

    Raises:
        StoreError: If it is not.
    """
    if table not in TABLES:
        raise StoreError(f"table (={table!r}) must be one of {', '.join(sorted(TABLES))}.")
    return table


def plan_name(sweep: str, submission: int) -> str:
    """Name of the live file that holds the trials of one submission."""
    return f"{check_sweep(sweep)}.{submission:04d}"


def live_name(key: str, attempt: int) -> str:
    """Name of the live file of one attempt at a stage, in every table except `trials`."""
    return f"{check_key(key)}.a{attempt:04d}"


def is_live_name(table: str, name: str) -> bool:
    """Whether a live file of `table` may have this name."""
    pattern = _PLAN_NAME if table == PLAN_TABLE else _ATTEMPT_NAME
    return pattern.fullmatch(name) is not None


def check_live_name(table: str, name: str) -> str:
    """Return `name` if a live file of `table` may have it.

    Raises:
        StoreError: If it may not.
    """
    if not is_live_name(check_table(table), name):
        form = "<sweep>.<submission>" if table == PLAN_TABLE else "<key>.a<attempt>"
        raise StoreError(f"name (={name!r}) of a live {table} file must have the form {form}.")
    return name


def split_live_name(name: str) -> tuple[str, int]:
    """Take the stage key and the attempt from a name that `live_name` made.

    Raises:
        StoreError: If the name has another form.
    """
    match = _ATTEMPT_NAME.fullmatch(name)
    if match is None:
        raise StoreError(f"name (={name!r}) must have the form <key>.a<attempt>.")
    return match[1], int(match[2])


def mirror_lock(root: Path, target: str) -> Path:
    """File of a store that a run locks while it shows a sweep at a target, such as TensorBoard."""
    digest = hashlib.sha256(target.encode()).hexdigest()[:16]
    return root / "drivers" / f"mirror-{digest}.lock"


def manifest_name(number: int) -> str:
    """Name of the file with that manifest."""
    return f"MANIFEST-{number:08d}.json"


def manifest_number(stem: str) -> int:
    """The number of a manifest or of its copy, from its name without suffix; 0 if it is none."""
    match = _MANIFEST.fullmatch(stem)
    return int(match[1]) if match else 0


def pack_number(name: str) -> int:
    """The number of the manifest that may name a pack; 0 if that is no name of a pack."""
    match = _PACK_NAME.fullmatch(name)
    return int(match[1]) if match else 0
