"""A process that takes stages as it is told on standard input, one command a line.

`hold DIR`: take the stage, answer `held NUMBER` or `refused`, and keep it.
`beat S`: from now on, show every S seconds that this process lives.
`finish`: mark the last stage as done, answer `finished` or `superseded`.
`race DIR`: answer `ready`, wait for another line, then the same as `hold`.
"""

import sys
from pathlib import Path

from orchestrate.errors import Held, Superseded
from orchestrate.stages.lease import Attempt
from orchestrate.statuses import Outcome
from results.store.holder import HEARTBEAT_S


def main() -> None:
    heartbeat_s = HEARTBEAT_S
    attempt: Attempt | None = None
    print("up", flush=True)
    while line := sys.stdin.readline():
        command, _, folder = line.strip().partition(" ")
        if command == "beat":
            heartbeat_s = float(folder)
            continue
        if command == "finish":
            assert attempt is not None
            try:
                attempt.finish(Outcome.OK)
                print("finished", flush=True)
            except Superseded:
                print("superseded", flush=True)
            continue
        stage_dir = Path(folder)
        if command == "race":
            print("ready", flush=True)
            sys.stdin.readline()
        try:
            attempt = Attempt.take(stage_dir, heartbeat_s=heartbeat_s)
            print("held", attempt.number, flush=True)
        except Held:
            print("refused", flush=True)


if __name__ == "__main__":
    main()
