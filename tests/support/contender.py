"""A process that takes stages as it is told on standard input, one command a line.

`hold DIR`: take the stage, answer `held NUMBER` or `refused`, and keep it.
`race DIR`: answer `ready`, wait for another line, then the same as `hold`.
"""

import sys
from pathlib import Path

from orchestrate.errors import Held
from orchestrate.stages.lease import Attempt


def main() -> None:
    print("up", flush=True)
    while line := sys.stdin.readline():
        command, _, folder = line.strip().partition(" ")
        stage_dir = Path(folder)
        if command == "race":
            print("ready", flush=True)
            sys.stdin.readline()
        try:
            print("held", Attempt.take(stage_dir).number, flush=True)
        except Held:
            print("refused", flush=True)


if __name__ == "__main__":
    main()
