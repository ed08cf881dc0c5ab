"""Every command ends on a signal, at any moment: exit code 128 + its number, and one line."""

import signal
import subprocess
from pathlib import Path

import pytest
from command_process import start, start_python

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
TIDYING = """
import signal, sys, threading
from cli import interrupt
interrupt.install()
interrupt.GRACE_S = {grace_s}
with interrupt.tidying("It can be continued."):
    try:
        print("ready", flush=True)
        threading.Event().wait()
    {then}
"""


def end(process: "subprocess.Popen[str]", *numbers: int) -> tuple[int, str]:
    """Exit code and errors of a process that prints a line for each signal it waits for."""
    assert process.stdout is not None
    with process:
        for number in numbers:
            process.stdout.readline()
            process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_that_prints_is_ended(number: signal.Signals) -> None:
    # More than a pipe holds: nobody reads on, so it cannot come to its end.
    assert end(start("sample", "--count", "500"), number) == (SIGNALS[number], "Interrupted.\n")


def test_a_command_that_is_still_being_imported_is_ended() -> None:
    # Python names every module on stderr once it is imported.
    process = start("arch", "show", "FairDARTS_a", env={"PYTHONVERBOSE": "1"})
    assert process.stderr is not None
    with process:
        while "import 'typer" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()

    assert process.returncode == 130
    assert "Interrupted." in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "then",
    [
        "finally: pass",
        "except KeyboardInterrupt: pass",
        "except KeyboardInterrupt: raise SystemError from None",
    ],
    ids=["raised", "swallowed", "replaced"],
)
def test_tidying_ends_with_its_message_whatever_becomes_of_the_exception(then: str) -> None:
    process = start_python(TIDYING.format(grace_s=60, then=then))

    assert end(process, signal.SIGINT) == (130, "It can be continued.\n")


@pytest.mark.parametrize("number", SIGNALS)
def test_the_exit_code_of_tidying_names_the_signal(number: signal.Signals) -> None:
    process = start_python(TIDYING.format(grace_s=60, then="finally: pass"))

    assert end(process, number) == (SIGNALS[number], "It can be continued.\n")


def test_a_terminal_that_is_gone_costs_the_message_only() -> None:
    code = TIDYING.format(grace_s=60, then="finally: os.close(2)")
    process = start_python(f"import os\n{code}")

    assert end(process, signal.SIGHUP) == (129, "")


def test_an_interrupt_that_another_handler_raised_ends_tidying_alike() -> None:
    then = "finally: raise KeyboardInterrupt"
    code = TIDYING.format(grace_s=60, then=then).replace(".wait()", ".wait(0)")

    process = start_python(code)

    assert process.communicate(timeout=60) == ("ready\n", "It can be continued.\n")
    assert process.returncode == 130


def test_tidying_that_takes_too_long_is_ended() -> None:
    process = start_python(TIDYING.format(grace_s=0, then="finally: threading.Event().wait()"))

    assert end(process, signal.SIGINT) == (130, "It can be continued.\n")


def test_a_second_signal_ends_tidying_at_once() -> None:
    then = "finally: print('tidying', flush=True); threading.Event().wait()"
    process = start_python(TIDYING.format(grace_s=600, then=then))

    assert end(process, signal.SIGTERM, signal.SIGTERM) == (143, "It can be continued.\n")


def test_a_job_that_ignores_ctrl_c_goes_on_ignoring_it(tmp_path: Path) -> None:
    code = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from cli import interrupt
interrupt.install()
with interrupt.tidying():
    os.kill(os.getpid(), signal.SIGINT)
print("finished")
"""
    output, errors = start_python(code).communicate(timeout=60)

    assert (output, errors) == ("finished\n", "")
