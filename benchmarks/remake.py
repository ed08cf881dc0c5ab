"""Run the commands of a page of measurements and put their output in it.

python -m benchmarks.remake docs/performance.md [COMMAND-SUBSTRING]

A command is a comment on a line of its own, its output the code block below it.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^<!-- (python -m [^\n]*) -->\n```\n(.*?)```$", re.MULTILINE | re.DOTALL)


def main() -> None:
    """Remake all blocks, or those whose command contains the second argument."""
    page = Path(sys.argv[1])
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""

    def remade(block: re.Match[str]) -> str:
        command = block[1]
        if wanted not in command:
            return block[0]
        print(command, flush=True)
        _, *arguments = shlex.split(command)
        result = subprocess.run(
            [sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True
        )
        return f"<!-- {command} -->\n```\n{result.stdout.rstrip()}\n```"

    text = BLOCK.sub(remade, page.read_text("utf-8"))
    page.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
