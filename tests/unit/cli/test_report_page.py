"""`fairdarts results report` as a person calls it; what is on the page is tested by itself."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import exit_code
from small_sweep import write_example
from tiny_sweeps import key_of, tiny_sweep, tiny_trials

from cli.app import BAD_INPUT
from orchestrate.planning.submission import Origin, submit
from orchestrate.stages.lease import Attempt
from results.store.layout import live_name
from results.store.store import Store

Report = Callable[..., tuple[int, str, str]]
FILE = "# what I asked\n"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A sweep whose first trial has failed; the second one is being computed, the third waits."""
    store = Store.create(tmp_path / "my store")
    trials = tiny_trials(matrix={"seed": [0, 1, 2]})
    failed, running = (store.stage_dir("search", key_of(trial, "search")) for trial in trials[:2])
    attempt = Attempt.take(failed)
    attempt.log("these were its last words")
    attempt.fail("exception", ValueError("no <luck>"))
    Attempt.take(running)
    key = key_of(trials[0], "search")
    row = {"stage_key": key, "attempt": 1, "kind": "search", "status": "failed"}
    row |= {"failure_kind": "exception", "error_type": "ValueError", "error_message": "no <luck>"}
    store.write_rows("attempts", live_name(key, 1), [row])
    submit(store, "tiny", trials, tiny_sweep().resources, Origin("fairdarts sweep run t", FILE))
    return store


@pytest.fixture
def report(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """Exit code, stderr and the page."""

    def report(*arguments: str) -> tuple[int, str, str]:
        file = tmp_path / "report.html"
        where = ("--store", store.root, "-o", file)
        code = exit_code("results", "report", *where, *arguments)
        return code, capsys.readouterr().err, file.read_text("utf-8") if file.exists() else ""

    return report


def test_the_page_has_what_only_files_of_stages_and_plans_say(store: Store, report: Report) -> None:
    code, err, page = report("tiny")
    assert (code, err) == (0, "")
    assert "0 of 3 planned trials have a result; 1 failed (1 exception), 1 running" in page
    assert "tiny: no run of it is alive: <code>sweep run</code> continues it." in page
    assert "no &lt;luck&gt;" in page
    assert "these were its last words" in page
    assert re.search(r"search, epoch 0/2, \S+ pid \d+", page)
    assert FILE.strip() in page
    assert "fairdarts sweep run t" in page
    assert f"export FAIRDARTS_STORE=&#39;{store.root}&#39;" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "has no sweep 'nothing'; it has tiny"),
        (["--versus", "nobody"], "no method is called 'nobody'"),
        (["--where", "method = 'nobody'"], "leaves none of 3 trials"),
        (["--watch", "-o", "-"], "--watch writes a file again and again"),
        (["-o", "missing/report.html"], "is in a folder that does not exist"),
    ],
)
def test_what_cannot_be_reported_is_said_in_one_sentence(
    report: Report, arguments: list[str], message: str
) -> None:
    code, err, page = report(*arguments)
    assert (code, page) == (BAD_INPUT, "")
    assert message in err


def test_a_store_without_a_sweep_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.create(tmp_path / "empty")
    assert exit_code("results", "report", "--store", store.root) == BAD_INPUT
    assert "has no sweep yet" in capsys.readouterr().err


@pytest.mark.slow
def test_watching_writes_the_page_until_it_is_interrupted(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "watched.html"
    command = ["results", "report", "--watch", "--store", str(store.root), "-o", str(file)]
    start = "import sys; from cli.entry import main; sys.argv[0] = 'fairdarts'; main()"
    process = subprocess.Popen([sys.executable, "-c", start, *command], stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert any(b"is written again and again" in line for line in iter(process.stderr.readline, b""))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert b"the sweep is left alone" in err
    assert 'http-equiv="refresh" content="15"' in file.read_text("utf-8")


def test_watching_ends_with_the_last_trial(store: Store, report: Report) -> None:
    # The trial that failed is the only one that counts, and no run is alive to try it again.
    code, _, page = report("--watch", "--where", "outcome = 'failed'")
    assert code == 0
    assert "refresh" not in page.partition("</head>")[0].partition("<style>")[0]


def test_trials_without_settings_of_their_stages_are_on_the_page_by_their_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store.create(tmp_path / "written by another program")
    write_example(store)  # Its settings lack the keys of stages.
    file = tmp_path / "report.html"
    assert exit_code("results", "report", "--store", store.root, "-o", file) == 0
    assert "4 of 6 planned trials have a result; 1 failed (1 oom), 1 pending." in file.read_text()
    capsys.readouterr()
    trial = store.read("trials")["trial_id"][0].as_py()
    assert exit_code("show", trial, "--store", store.root) == BAD_INPUT
    err = capsys.readouterr().err
    assert "has no settings of its stages in the table trials" in err
    assert err.count("\n") == 1
