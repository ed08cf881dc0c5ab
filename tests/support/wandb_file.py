"""Reads what W&B has written offline: records in LevelDB's log format, behind a header of W&B."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK, HEADER = 32_768, 7
FULL, LAST = 1, 4
"""Kinds of fragments that end a record."""


@dataclass
class WandbRun:
    """One offline run."""

    project: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    """None: it was not finished."""


def read_run(path: Path) -> WandbRun:
    run = WandbRun()
    for record in _records(path.read_bytes()):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run.project, run.name = record.run.project, record.run.display_name
            run.group, run.job_type = record.run.run_group, record.run.job_type
            updates = record.run.config.update
            run.config |= {update.key: json.loads(update.value_json) for update in updates}
        elif kind == "history":
            items = record.history.item
            run.history.append({_name(item): json.loads(item.value_json) for item in items})
        elif kind == "summary":
            updates = record.summary.update
            run.summary |= {_name(update): json.loads(update.value_json) for update in updates}
        elif kind == "exit":
            run.exit_code = record.exit.exit_code
    return run


def _name(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def _records(content: bytes) -> Iterator[Any]:
    from wandb.proto.wandb_internal_pb2 import Record

    place, record = HEADER, b""
    while place + HEADER <= len(content):
        if (left := BLOCK - place % BLOCK) < HEADER:
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + HEADER])
        place += HEADER
        record += content[place : place + length]
        place += length
        if kind in (FULL, LAST):
            yield Record.FromString(record)
            record = b""
