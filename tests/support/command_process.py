"""Starts the `fairdarts` command as a process of its own, as a shell would."""

import os
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from cli.entry import main; main()")


def start(
    *arguments: str | Path, env: dict[str, str] | None = None, encoding: str = "utf-8"
) -> "subprocess.Popen[str]":
    """The command with these arguments and further variables of the environment."""
    return _start([*COMMAND, *map(str, arguments)], env or {}, encoding)


def start_python(code: str) -> "subprocess.Popen[str]":
    """A Python that finds the packages of this repository."""
    return _start([sys.executable, "-c", code], {}, "utf-8")


def run(
    *arguments: str | Path, env: dict[str, str] | None = None, encoding: str = "utf-8"
) -> "subprocess.CompletedProcess[str]":
    """The command, at its end."""
    with start(*arguments, env=env, encoding=encoding) as process:
        output, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def run_in_shell(line: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """A line of bash in which "$@" is the command with these arguments."""
    return subprocess.run(
        ["bash", "-c", line, "bash", *COMMAND, *map(str, arguments)],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(REPOSITORY)}


def _start(command: list[str], env: dict[str, str], encoding: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        env=_environment() | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding=encoding,
        preexec_fn=_heed_signals,
    )


def _heed_signals() -> None:
    """Whoever ran the tests in the background, or under `nohup`, had them ignore signals."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
