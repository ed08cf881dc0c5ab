"""Damages files of a store at random, and asks every reader what it says then."""

import contextlib
import io
import json
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import typer.main

from cli.app import app, main

SQL = (
    "SELECT o.trial_id, outcome, reason, test_top1_pct, params, search_s, retrain_s, "
    "(SELECT sum(train_loss) FROM epochs e "
    "WHERE e.stage_key IN (o.search_key, o.retrain_key)) AS l, "
    "(SELECT sum(alpha) + sum(gate) FROM alphas a WHERE a.stage_key = o.search_key) AS a, "
    "(SELECT count(*) FROM attempts t WHERE t.stage_key IN (o.search_key, o.retrain_key)) AS n "
    "FROM outcomes o ORDER BY ALL"
)
READERS: dict[str, tuple[str, ...]] = {
    "results table": ("results", "table", "--format", "csv"),
    "results sql": ("results", "sql", SQL, "--format", "csv"),
    "sweep status": ("sweep", "status", "mine", "--format", "json"),
    "store check": ("store", "check"),
}
REPAIR = ("store", "check", "--repair")
JSON_VALUES: tuple[Any, ...] = ({}, [], None, 0, "x", {"a": 1}, [1], True, 1e999)
COMMANDS = typer.main.get_command(app)
"""Made once: to make it takes as long as most answers, and damages nothing."""
REPAIRED = 0.1
"""Part of the damages that are repaired, too."""
NO_ANSWER = (".clock", "heartbeat", "RELEASED", "log.txt")
"""Files whose content no reader uses."""


@dataclass(frozen=True)
class Said:
    """What a command printed."""

    code: object
    out: str
    err: str


@dataclass
class Report:
    """How many damages each reader has noticed."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def note(self, reader: str, end: str, about: str) -> None:
        self.counts[reader, end] += 1
        if end in ("silent", "traceback"):
            self.faults.append(f"{reader}: {end}: {about}")


def said(*arguments: str) -> Said:
    """Run the command in this process."""
    out, err, code = io.StringIO(), io.StringIO(), None
    with (
        patch.object(sys, "argv", ["fairdarts", *arguments]),
        patch("typer.main.get_command", lambda _: COMMANDS),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            code = f"{type(error).__name__}: {error}"
    return Said(code, out.getvalue(), err.getvalue())


def files_of(root: Path) -> list[Path]:
    """The files of a store that readers use, sorted."""
    return sorted(
        path for path in root.rglob("*") if path.is_file() and not path.name.startswith(NO_ANSWER)
    )


def damage(path: Path, alike: list[Path], chance: random.Random) -> str:
    """Damage a file, and say how."""
    content = path.read_bytes()
    ways: dict[str, Callable[[], object]] = {
        "bit": lambda: _flip(path, content, 1, chance),
        "bits": lambda: _flip(path, content, chance.randint(2, 40), chance),
        "truncated": lambda: path.write_bytes(content[: chance.randrange(len(content) or 1)]),
        "emptied": lambda: path.write_bytes(b""),
        "junk": lambda: path.write_bytes(chance.randbytes(chance.randrange(1, 5000))),
        "zeros": lambda: _zeros(path, content, chance),
        "missing": path.unlink,
        "swapped": lambda: path.write_bytes(chance.choice(alike or [path]).read_bytes()),
    }
    if path.suffix == ".parquet":
        ways["schema"] = lambda: _other_schema(path, chance)
    else:
        ways["value"] = lambda: path.write_text(json.dumps(chance.choice(JSON_VALUES)))
        ways["part"] = lambda: _other_part(path, content, chance)
    way = chance.choice(sorted(ways))
    ways[way]()
    return way


def attack(pristine: Path, root: Path, number: int, chance: random.Random) -> Report:
    """Damage files of a store, one at a time, and note what readers say.

    Args:
        pristine: The store.
        root: Where a copy of it may be made.
        number: How many files to damage.
        chance: Decides which, and how.
    """
    report = Report()
    shutil.copytree(pristine, root)
    before = {name: _ask(root, words) for name, words in READERS.items()}
    for name, one in before.items():
        assert one.code in (0, None), (name, one)
    files = files_of(root)
    for _ in range(number):
        path = chance.choice(files)
        alike = [one for one in files if one.suffix == path.suffix and one != path]
        content, name = path.read_bytes(), str(path.relative_to(root))
        way = damage(path, alike, chance)
        if path.exists() and path.read_bytes() == content:
            continue
        for reader, words in READERS.items():
            found = _ask(root, words)
            report.note(reader, _end(found, before[reader], name, way), f"{name} {way}: {found}")
        if chance.random() < REPAIRED:
            _repair(root, report, f"{name} {way}", before)
            shutil.rmtree(root)
            shutil.copytree(pristine, root)
        else:
            path.write_bytes(content)
    shutil.rmtree(root)
    return report


def _repair(root: Path, report: Report, about: str, before: dict[str, Said]) -> None:
    """After a repair no fault is left that it could remove, and every reader answers."""
    repaired = _ask(root, REPAIR)
    again = _ask(root, READERS["store check"])
    if _crashed(repaired) or _crashed(again):
        end = "traceback"
    elif again.code in (0, None):
        end = "clean after it"
    else:
        end = "named"
    report.note("check --repair", end, f"{about}: {repaired} {again}")
    if end == "clean after it":
        for reader, words in READERS.items():
            found = _ask(root, words)
            same = (found.code, _timeless(found.out)) == (
                before[reader].code,
                _timeless(before[reader].out),
            )
            end = "traceback" if _crashed(found) else "as before" if same else "less"
            if found.code == 2:
                end = "refused"
            report.note(f"{reader} after it", end, f"{about}: {found}")


def _ask(root: Path, words: tuple[str, ...]) -> Said:
    return said(*words, "--store", str(root))


def _end(found: Said, before: Said, name: str, way: str) -> str:
    """How a reader has taken the damage to a file."""
    if _crashed(found):
        return "traceback"
    if (found.code, _timeless(found.out)) == (before.code, _timeless(before.out)):
        return "harmless"
    key = re.search(r"[0-9a-f]{16}", name)
    text = found.out + found.err
    if Path(name).name in text or (key and key[0] in found.err):
        return "named"
    if key and re.search(rf"{key[0]}.* (is damaged|missing or damaged)", text):
        return "named"
    if way == "missing" and found.code in (0, None):
        return "counts as not there"  # The plan says what is missing.
    return "silent"


def _timeless(text: str) -> str:
    return re.sub(r'"(age|silent|seen|now|disk_bytes)[a-z_]*": [^,\n]*', "", text)


def _crashed(found: Said) -> bool:
    return "Traceback" in found.err or not isinstance(found.code, int | None)


def _flip(path: Path, content: bytes, number: int, chance: random.Random) -> None:
    changed = bytearray(content or b"\0")
    for _ in range(number):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    path.write_bytes(changed)


def _zeros(path: Path, content: bytes, chance: random.Random) -> None:
    start = chance.randrange(len(content) or 1)
    length = chance.randint(1, 512)
    path.write_bytes(content[:start] + b"\0" * length + content[start + length :])


def _other_schema(path: Path, chance: random.Random) -> None:
    """A Parquet file as another program might write it: without our digest."""
    table = pa.table({chance.choice(("stage_key", "x")): ["a"], "epoch": [chance.random()]})
    pq.write_table(table, path)


def _other_part(path: Path, content: bytes, chance: random.Random) -> None:
    """Another value, of another type, at a random place of a JSON document."""
    try:
        document = json.loads(content)
    except ValueError:
        path.write_bytes(b"{")
        return
    place = document
    while True:
        if isinstance(place, dict) and place:
            key: Any = chance.choice(sorted(place))
        elif isinstance(place, list) and place:
            key = chance.randrange(len(place))
        else:
            document = chance.choice(JSON_VALUES)
            break
        if not isinstance(place[key], dict | list) or not place[key] or chance.random() < 0.3:
            if isinstance(place, dict) and chance.random() < 0.3:
                del place[key]
            else:
                place[key] = chance.choice(JSON_VALUES)
            break
        place = place[key]
    path.write_text(json.dumps(document))
